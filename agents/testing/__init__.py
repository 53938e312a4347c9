"""For tests of clients and of whole studies: a server that fails as real ones do, a scripted client, what every client holds to."""
