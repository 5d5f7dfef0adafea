package driver

// Decorator is implemented by a driver that wraps another, to measure it or to change its records.
// A Store uses the optional interfaces of the inner driver that the outer one does not implement,
// as errors.As does with errors.
//
// It is not enough to embed a Driver: that hides Sweep, Range and the other optional methods, so
// that expired records are never removed. A decorator that changes records must itself implement
// the interfaces that return records, Ranger and UserIndex. If it makes Data longer, it must
// implement SizeLimiter.
type Decorator interface {
	Driver

	// Unwrap returns the inner driver.
	Unwrap() Driver
}

// As returns the first driver that implements T, such as Sweeper, among d and the drivers that it
// wraps.
func As[T any](d Driver) (t T, ok bool) {
	for d != nil {
		if t, ok = d.(T); ok {
			return t, true
		}
		outer, ok := d.(Decorator)
		if !ok {
			break
		}
		d = outer.Unwrap()
	}
	return t, false
}
