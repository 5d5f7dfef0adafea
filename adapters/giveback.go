package adapters

import "net/http"

// GiveBack is called when the handler has returned or panicked, on net/http. inner is the request
// that it was given, with the session's context: a copy of outer. GiveBack removes the temporary
// files of a form that was parsed inside, which the server does for outer alone, and notes in
// outer what was noted in inner: its forms, the pattern of its route, and the path values.
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
