"""What tests share: providers, trackers, suites, readers of what the plugin writes."""
