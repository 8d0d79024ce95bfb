"""The embedded LM: SmolLM2-135M, or another GGUF, served by llama.cpp to every process of one pytest session."""
