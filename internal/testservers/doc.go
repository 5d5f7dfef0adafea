// Package testservers contains the sources of test servers: a MongoDB-compatible server (directory
// ferretdb), and Shopify's toxiproxy (a tool of this module). scripts/install-backends builds them.
// They require hundreds of modules, and are a separate module so that these do not appear in the
// go.sum of programs that use scskit.
package testservers
