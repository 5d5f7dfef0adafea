package conformance

import "slices"

func adapterChecks() []check {
	return slices.Concat(cookieChecks, tokenChecks, responseChecks, errorChecks, featureChecks,
		neighbourChecks)
}
