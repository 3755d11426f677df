"""Photos: sniffed, decoded, encoded, with all that is embedded in them."""
