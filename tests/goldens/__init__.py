"""Expert pairs and the golden texts that are emitted for them."""
