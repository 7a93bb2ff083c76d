"""The guard on calls to partners, measured on a whole running system."""
