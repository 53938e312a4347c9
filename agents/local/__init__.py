"""A language model in this process: llama.cpp's server on loopback, and the weights it serves. Imported only where it is asked for."""
