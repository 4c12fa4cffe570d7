package certauth

import (
	"net/http"
	"strings"
)

// giveBack makes r look, when the handler has returned or panicked, as if it had been given
// r and not a copy with another context: middleware outside reads what a ServeMux and the
// form parsers leave in a request. Pattern and path values name the route in logs, metrics
// and spans; net/http removes the temporary files of a MultipartForm only if it finds that
// in its own request.
//
// Where the context has ended, whoever waited for the handler may have gone on, in another
// goroutine, and may be looking at r: then nothing is written to it. Only what has changed
// is written, so that nobody who reads another field is disturbed.
func giveBack(r, admitted *http.Request) {
	form := admitted.MultipartForm
	if admitted.Pattern == r.Pattern && admitted.Form == nil && admitted.PostForm == nil && form == nil {
		return
	}
	if r.Context().Err() != nil {
		if form != nil && r.MultipartForm != form {
			_ = form.RemoveAll() // nobody else will
		}
		return
	}
	if admitted.Pattern != r.Pattern {
		r.Pattern = admitted.Pattern
		giveBackPathValues(r, admitted)
	}
	if r.Form == nil && admitted.Form != nil {
		r.Form = admitted.Form
	}
	if r.PostForm == nil && admitted.PostForm != nil {
		r.PostForm = admitted.PostForm
	}
	if r.MultipartForm == nil && form != nil {
		r.MultipartForm = form
	}
}

// giveBackPathValues sets what the wildcards of the pattern matched ("/orders/{id}",
// "/files/{path...}"); a request does not list the names of its values.
func giveBackPathValues(r, admitted *http.Request) {
	for rest := admitted.Pattern; ; {
		_, behind, found := strings.Cut(rest, "{")
		if !found {
			return
		}
		name, after, found := strings.Cut(behind, "}")
		if !found {
			return
		}
		rest = after
		if name = strings.TrimSuffix(name, "..."); name != "$" {
			r.SetPathValue(name, admitted.PathValue(name))
		}
	}
}
