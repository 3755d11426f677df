"""Where inputs come from: folders, lists, archives, URLs."""
