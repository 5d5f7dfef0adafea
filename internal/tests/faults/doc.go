// Package faults tests what users of an application see when the network to the session store
// fails, when a reply is lost, and when the server of the store is killed. The tests use real
// servers, and an adapter over HTTP.
package faults
