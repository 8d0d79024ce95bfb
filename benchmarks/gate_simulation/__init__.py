"""How often the gates err: simulated baselines and runs, compared and decided by the plugin's own code."""
