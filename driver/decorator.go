package driver

// Decorator is implemented by a driver that wraps another, to measure it or to change what is
// stored. Where the outer driver does not implement one of the optional interfaces of this package,
// a Store uses what is inside, as errors.As does with errors.
//
// Embedding a Driver is not enough: it hides Sweep, Range and the rest, so that nothing expired
// is ever removed. A decorator that changes records must implement for itself whatever else returns
// them, that is Ranger and UserIndex, and SizeLimiter if it makes Data longer.
type Decorator interface {
	Driver

	// Unwrap returns the driver inside.
	Unwrap() Driver
}

// As returns the first of d and the drivers inside that implements T, such as Sweeper.
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
