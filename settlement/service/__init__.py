"""The settlement process and what joins the folders: the ledger's writer, movements, state machines."""
