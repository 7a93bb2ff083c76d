"""Growth: more trips in flight, more trips behind, more workers, a burst, and a long run."""
