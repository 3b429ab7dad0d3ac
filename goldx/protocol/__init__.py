"""The vocabulary of the exchange: units, terms, commands, events, reasons, and their JSON form."""
