"""From syntax and a signature to typed IR."""
