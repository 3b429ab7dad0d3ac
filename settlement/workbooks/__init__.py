"""Tables as people send them: CSV, XLSX and XLS, their headings and their ounces."""
