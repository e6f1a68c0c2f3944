"""What people look at: tables, rates and explanations, as plain data that JSON and the screen share."""
