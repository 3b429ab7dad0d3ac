"""The vocabulary of the exchange: units, terms, commands, events, and their JSON form."""
