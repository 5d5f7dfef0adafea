package adapters

import "net/http"

// GiveBack copies what inner handlers have set in a request to the request outside. outer is the
// request that the middleware got, and inner the copy with the session's context. Call GiveBack on
// net/http when the handler has returned or panicked.
//
// It copies the parsed forms, the pattern of the route and the path values. It also removes the
// temporary files of a multipart form that was parsed in inner: the server does so for outer only.
func GiveBack(outer, inner *http.Request) {
	if inner.MultipartForm != nil && inner.MultipartForm != outer.MultipartForm {
		_ = inner.MultipartForm.RemoveAll()
	}
	if inner.Pattern != outer.Pattern {
		*outer = *inner.WithContext(outer.Context())
		return
	}
	outer.Form, outer.PostForm, outer.MultipartForm = inner.Form, inner.PostForm, inner.MultipartForm
}
