"""What only a person can say of a participant, by code: each is a question that is answered yes or no.

Codes of ``Statement``. Who answers: the physician, or the participant on a form (dossier §8, §8.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from fhir_adapter.conduct.answers import Supplier

STATEMENTS: Mapping[str, tuple[str, Supplier]] = {
    # §8.1, AECG 2002 and Japan 1999
    "eye-symptoms": (
        "Dry eyes for more than 3 months, a feeling of sand, or tears more than 3 times a day",
        Supplier.FORM,
    ),
    "mouth-symptoms": (
        "Dry mouth for more than 3 months, swollen salivary glands, or liquids needed to swallow",
        Supplier.FORM,
    ),
    "ocular-dye": ("Ocular dye score of 4 or more (van Bijsterveld)", Supplier.PHYSICIAN),
    "rose-bengal": ("Rose bengal score of 3 or more", Supplier.PHYSICIAN),
    "fluorescein": ("Cornea stained by fluorescein", Supplier.PHYSICIAN),
    "sialography": ("Sialography positive (stage 1 or more)", Supplier.PHYSICIAN),
    "scintigraphy": ("Salivary scintigraphy abnormal", Supplier.PHYSICIAN),
    "stimulated-flow-low": (
        "Gum test 10 mL/10 min or less, or Saxon test 2 g/2 min or less",
        Supplier.PHYSICIAN,
    ),
    "aecg-exclusion": (
        "Head or neck radiation, hepatitis C, AIDS, lymphoma, sarcoidosis, graft-versus-host disease "
        "or anticholinergic drugs",
        Supplier.PHYSICIAN,
    ),
    "japan-2018-definite": ("Japanese paediatric guidance 2018: definite", Supplier.PHYSICIAN),
    "japan-2018-probable": ("Japanese paediatric guidance 2018: probable", Supplier.PHYSICIAN),
    "japan-2018-possible": ("Japanese paediatric guidance 2018: possible", Supplier.PHYSICIAN),
    # §8
    "systemic-involvement": ("Systemic involvement due to Sjögren's syndrome", Supplier.PHYSICIAN),
    "other-trial": ("Took part in another trial within 6 months", Supplier.FORM),
    "active-tuberculosis": ("Active tuberculosis", Supplier.PHYSICIAN),
    "suppressive-therapy": ("On suppressive therapy for a chronic infection", Supplier.PHYSICIAN),
    "high-infection-risk": ("At high risk of infection", Supplier.PHYSICIAN),
    "severe-disease": (
        "Severe, progressive or uncontrolled disease, or unsafe to take part",
        Supplier.PHYSICIAN,
    ),
    "steroid-for-other-disease": (
        "Another disease that now needs a systemic glucocorticoid",
        Supplier.PHYSICIAN,
    ),
    # §1.3, §1.4: what a derived level needs beside the laboratory
    "low-igg-drug-caused": ("The low IgG is caused by a drug", Supplier.PHYSICIAN),
    "neutropenia-autoimmune": ("The neutropenia is autoimmune", Supplier.PHYSICIAN),
    "anaemia-autoimmune": ("The anaemia is autoimmune", Supplier.PHYSICIAN),
    "thrombocytopenia-autoimmune": ("The thrombocytopenia is autoimmune", Supplier.PHYSICIAN),
    "lymphopenia-autoimmune": ("The lymphopenia is autoimmune", Supplier.PHYSICIAN),
    "glomerular-disease": ("Glomerular involvement", Supplier.PHYSICIAN),
    "glomerular-haematuria": ("Glomerular haematuria", Supplier.PHYSICIAN),
    "tubular-acidosis": ("Renal tubular acidosis", Supplier.PHYSICIAN),
    "renal-active": ("The kidney disease is active, not damage", Supplier.PHYSICIAN),
    "biopsy-membranous": ("Kidney biopsy: membranous, or heavy interstitial infiltrate", Supplier.PHYSICIAN),
    "biopsy-proliferative": (
        "Kidney biopsy: proliferative or cryoglobulin-related nephritis",
        Supplier.PHYSICIAN,
    ),
    "myositis-proven": ("Myositis proven by EMG, MRI or biopsy", Supplier.PHYSICIAN),
    "interstitial-lung-active": ("Active interstitial lung disease on HRCT", Supplier.PHYSICIAN),
    "bronchial-cough": ("Lasting cough of proven bronchial involvement", Supplier.PHYSICIAN),
    "night-sweats": ("Night sweats", Supplier.PHYSICIAN),
    "constitutional-from-disease": (
        "Fever, sweats or loss of weight are due to Sjögren's syndrome",
        Supplier.PHYSICIAN,
    ),
}
"""Code → the question, and who answers it."""
