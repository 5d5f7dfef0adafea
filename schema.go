package scskit

import (
	"context"

	"github.com/scskit/scskit/driver"
)

// CreateSchema makes the table, or whatever else the backend needs before the first session. It is
// nil if everything is there already, or nothing is needed.
func (s *Store) CreateSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.CreateSchema(ctx)
	}
	return nil
}

// CheckSchema returns an error that matches driver.ErrNoSchema, and says what to do, if the backend
// lacks what CreateSchema makes.
func (s *Store) CheckSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.CheckSchema(ctx)
	}
	return nil
}

// DropSchema removes what CreateSchema made, with every session in it.
func (s *Store) DropSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.DropSchema(ctx)
	}
	return nil
}

// Schema returns what CreateSchema runs, to be applied by hand or with other migrations. It is
// empty if the backend needs nothing.
func (s *Store) Schema() string {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.Schema()
	}
	return ""
}
