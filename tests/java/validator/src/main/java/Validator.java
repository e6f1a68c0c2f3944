import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.hl7.fhir.r4.formats.IParser.OutputStyle;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r5.context.ContextUtilities;
import org.hl7.fhir.r5.context.IWorkerContext.VersionResolutionRules;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.CanonicalType;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.utils.validation.IResourceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.utilities.http.ManagedWebAccess;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.validation.ValidationEngine;
import org.hl7.fhir.validation.instance.InstanceValidator;
import org.hl7.fhir.validation.instance.advisor.BasePolicyAdvisorForFullValidation;
import org.hl7.fhir.validation.service.StandAloneValidatorFetcher;

/**
 * HL7's own validator for FHIR R4, without network and without a terminology server.
 *
 * <p>{@code prepare}: builds the packages that the engine asks for in {@code user.home/.fhir/packages}.
 *
 * <p>{@code validate REQUEST RESULT}: reads the JSON object {@code {"packages": [folder], "files": [file],
 * "unknownProfiles": boolean}}, where the last says whether a profile may be unknown, and writes each issue
 * as a JSON object on a line of its own: {@code file, line, resource, severity, code, expression, message}. A
 * file whose name ends in {@code .ndjson} holds one resource a line; for others line is 0. An engine that
 * cannot be built, or a package that cannot be loaded, ends the program with an exception.
 */
public final class Validator {
  private static final String R4 = "4.0.1";
  private static final String CORE = "hl7.fhir.r4.core";
  private static final String DEFINITIONS = "/org/hl7/fhir/r4/model/";
  private static final String UNKNOWN_PROFILE = "VALIDATION_VAL_PROFILE_UNKNOWN";
  private static final List<String> BUNDLES = List.of(
      "profile/profiles-types.xml", "profile/profiles-resources.xml", "profile/profiles-others.xml",
      "extension/extension-definitions.xml", "valueset/valuesets.xml", "valueset/v2-tables.xml",
      "valueset/v3-codesystems.xml", "sp/search-parameters.json");

  private Validator() {}

  public static void main(String[] args) throws Exception {
    ManagedWebAccess.setAccessPolicy(ManagedWebAccess.WebAccessPolicy.PROHIBITED);
    if (args[0].equals("prepare")) {
      Path packages = Path.of(System.getProperty("user.home"), ".fhir", "packages");
      writeCore(packages);
      writePackage(packages, "hl7.fhir.xver-extensions", "0.1.0"); // asked for at each start; may be empty
      engine();
    } else {
      validate(Path.of(args[1]), Path.of(args[2]));
    }
  }

  private static Path writePackage(Path packages, String name, String version) throws IOException {
    Path folder = Files.createDirectories(packages.resolve(name + "#" + version).resolve("package"));
    Map<String, Object> manifest = Map.of("name", name, "version", version, "fhirVersions", List.of(R4),
        "type", name.equals(CORE) ? "Core" : "IG", "canonical", "http://hl7.org/fhir");
    Files.writeString(folder.resolve("package.json"), new Gson().toJson(manifest));
    return folder;
  }

  private static void writeCore(Path packages) throws IOException {
    Path folder = writePackage(packages, CORE, R4);
    var json = new org.hl7.fhir.r4.formats.JsonParser();
    json.setOutputStyle(OutputStyle.NORMAL);
    for (String name : BUNDLES) {
      try (InputStream source = Validator.class.getResourceAsStream(DEFINITIONS + name)) {
        var parser = name.endsWith(".xml") ? new org.hl7.fhir.r4.formats.XmlParser() : json;
        for (var entry : ((Bundle) parser.parse(source)).getEntry()) {
          Resource resource = entry.getResource();
          String file = resource.fhirType() + "-" + resource.getIdElement().getIdPart() + ".json";
          Files.write(folder.resolve(file), json.composeBytes(resource));
        }
      }
    }
  }

  private static ValidationEngine engine() throws Exception {
    ValidationEngine engine = new ValidationEngine.ValidationEngineBuilder()
        .withVersion(R4).withNoTerminologyServer().fromSource(CORE + "#" + R4);
    engine.getContext().setCanRunWithoutTerminology(true);
    engine.getContext().setNoTerminologyServer(true); // else codes of MIME types and the like end in a crash
    return engine;
  }

  /** As in HL7's own tests: examples are welcome, references are not followed. */
  private static InstanceValidator validator(ValidationEngine engine) throws Exception {
    InstanceValidator validator = engine.getValidator(FhirFormat.JSON);
    validator.setAllowExamples(true);
    validator.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
    validator.setPolicyAdvisor(
        new BasePolicyAdvisorForFullValidation(ReferenceValidationPolicy.IGNORE, Set.of()));
    validator.setFetcher(new StandAloneValidatorFetcher(engine.getPcm(), engine.getContext(), engine) {
      @Override
      public boolean resolveURL(IResourceValidator validator, Object context, String path, String url,
          VersionResolutionRules rules, String type, boolean canonical, List<CanonicalType> targets) {
        return !url.contains("example.org");
      }

      @Override
      public boolean fetchesCanonicalResource(IResourceValidator validator, String url) {
        return false;
      }
    });
    return validator;
  }

  private static void validate(Path request, Path result) throws Exception {
    JsonObject asked = JsonParser.parseString(Files.readString(request)).getAsJsonObject();
    ValidationEngine engine = engine();
    for (var folder : asked.getAsJsonArray("packages")) {
      loadPackage(engine, Path.of(folder.getAsString()));
    }
    boolean strict = !asked.get("unknownProfiles").getAsBoolean();
    InstanceValidator validator = validator(engine);
    try (Writer out = Files.newBufferedWriter(result)) {
      for (var name : asked.getAsJsonArray("files")) {
        Path file = Path.of(name.getAsString());
        if (file.toString().endsWith(".ndjson")) {
          int line = 0;
          for (String resource : Files.readAllLines(file)) {
            line++;
            if (!resource.isBlank()) {
              report(validator, file, line, resource, strict, out);
            }
          }
        } else {
          report(validator, file, 0, Files.readString(file), strict, out);
        }
      }
    }
  }

  /** Loads every conformance resource of a package's folder; profiles without a snapshot are given one. */
  private static void loadPackage(ValidationEngine engine, Path folder) throws Exception {
    Path inner = folder.resolve("package");
    List<Path> files;
    try (Stream<Path> found = Files.list(Files.isDirectory(inner) ? inner : folder)) {
      files = found.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
    List<StructureDefinition> profiles = new ArrayList<>();
    int loaded = 0;
    for (Path file : files) {
      JsonObject content = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
      if (content.has("resourceType")) { // package.json and .index.json have none
        byte[] bytes = Files.readAllBytes(file);
        var resource = engine.getIgLoader().loadResourceByVersion(R4, bytes, file.toString());
        if (resource instanceof CanonicalResource) {
          engine.seeResource(resource);
          loaded++;
        }
        if (resource instanceof StructureDefinition profile && !profile.hasSnapshot()) {
          profiles.add(profile);
        }
      }
    }
    if (loaded == 0) {
      throw new IllegalArgumentException("No conformance resource in the package " + folder);
    }
    for (StructureDefinition profile : profiles) {
      new ContextUtilities(engine.getContext()).generateSnapshot(profile);
    }
  }

  private static void report(InstanceValidator validator, Path file, int line, String resource,
      boolean strict, Writer out) throws IOException {
    List<ValidationMessage> messages = new ArrayList<>();
    String failure = null;
    try {
      var content = new ByteArrayInputStream(resource.getBytes(StandardCharsets.UTF_8));
      validator.validate(null, messages, content, FhirFormat.JSON);
    } catch (Exception | StackOverflowError crash) { // it does crash on some wrong inputs: a verdict, too
      failure = "The validator could not go on: " + crash;
    }
    Map<String, Object> where =
        Map.of("file", file.toString(), "line", line, "resource", reference(resource));
    for (ValidationMessage message : messages) {
      // The validator only warns of a profile that it cannot fetch, so a misspelt one would pass unchecked.
      boolean unknownProfile = String.valueOf(message.getMessageId()).startsWith(UNKNOWN_PROFILE);
      String severity = unknownProfile && strict ? "error" : message.getLevel().toCode();
      write(out, where, severity, message.getType().toCode(), message.getLocation(), message.getMessage());
    }
    if (failure != null) {
      write(out, where, "fatal", "exception", "", failure);
    }
  }

  private static String reference(String resource) {
    try {
      JsonObject content = JsonParser.parseString(resource).getAsJsonObject();
      String type = content.get("resourceType").getAsString();
      return content.has("id") ? type + "/" + content.get("id").getAsString() : type;
    } catch (RuntimeException notAResource) {
      return "";
    }
  }

  private static void write(Writer out, Map<String, Object> where, String severity, String code,
      String expression, String message) throws IOException {
    Map<String, Object> issue = new LinkedHashMap<>(where);
    issue.put("severity", severity);
    issue.put("code", code);
    issue.put("expression", expression == null ? "" : expression);
    issue.put("message", message);
    out.write(new Gson().toJson(issue) + "\n");
  }
}
