"""The bundled partner services. They know nothing of the saga that calls them."""
