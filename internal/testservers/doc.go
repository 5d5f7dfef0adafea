// Package testservers holds what the tests' servers are built from: a MongoDB-compatible server
// (directory ferretdb), and Shopify's toxiproxy (a tool of this module). They need hundreds of
// modules that nobody who imports scskit should see in a go.sum, so they live in a module of their
// own and run as programs: scripts/install-backends builds them.
package testservers
