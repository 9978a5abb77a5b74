//! No code here: the tests are all there is. They need the network that `network.sh` makes.
