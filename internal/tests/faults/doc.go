// Package faults holds tests only: what users of an application see when the network to its session
// store fails, when a reply is lost, and when the server of the store is killed. They run against
// every real server, through an adapter, over HTTP.
package faults
