package certauth

import (
	"net/http"
	"strings"
)

// giveBack copies the results of a ServeMux and of the form parsers from the handler's copy of the
// request to r, when the handler has returned or panicked. Middleware outside uses Pattern and path
// values to name the route in logs, metrics and spans, and net/http removes the temporary files of a
// MultipartForm only if it is in its own request.
//
// If the context has ended, nothing is written: a goroutine that waited for the handler may have
// continued and may be reading r. Only fields that have changed are written, so that concurrent
// reads of other fields are no data race.
func giveBack(r, admitted *http.Request) {
	form := admitted.MultipartForm
	if admitted.Pattern == r.Pattern && admitted.Form == nil && admitted.PostForm == nil && form == nil {
		return
	}
	if r.Context().Err() != nil {
		if form != nil && r.MultipartForm != form {
			_ = form.RemoveAll() // net/http does not know this form
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

// giveBackPathValues copies the values of the pattern's wildcards ("/orders/{id}",
// "/files/{path...}"). It takes their names from the pattern, because a request does not list them.
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
