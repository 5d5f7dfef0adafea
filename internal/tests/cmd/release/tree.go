package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// copyTree copies a checkout, except for directories that are not released.
func copyTree(from, to string) error {
	skipped := []string{".git", "build", "bin", "internal/tests", "examples"}
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, name); {
		case slices.Contains(skipped, filepath.ToSlash(name)):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil
		default:
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o600)
		}
	})
}
