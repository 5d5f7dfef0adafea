package scskit

import (
	"context"

	"github.com/scskit/scskit/driver"
)

// CreateSchema creates the table or index that the backend needs. It does nothing if that exists
// already, or if the backend needs none.
func (s *Store) CreateSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.CreateSchema(ctx)
	}
	return nil
}

// CheckSchema returns an error that matches driver.ErrNoSchema, and says what to do, if the backend
// lacks what CreateSchema creates.
func (s *Store) CheckSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.CheckSchema(ctx)
	}
	return nil
}

// DropSchema removes what CreateSchema created, including all sessions.
func (s *Store) DropSchema(ctx context.Context) error {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.DropSchema(ctx)
	}
	return nil
}

// Schema returns the statements that CreateSchema runs, so that you can apply them by hand or with
// other migrations. It is empty if the backend needs none.
func (s *Store) Schema() string {
	if m, ok := driver.As[driver.SchemaManager](s.driver); ok {
		return m.Schema()
	}
	return ""
}
