package certauth

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// The bodies are those of RFC 9457, one for each status and the same for every reason:
// what was wrong is between the service and its operator.
const (
	body401 = `{"type":"about:blank","title":"Unauthorized","status":401}` + "\n"
	body403 = `{"type":"about:blank","title":"Forbidden","status":403}` + "\n"
)

// deny answers a refused request, through the user's hook if there is one. stripped is the request
// without what no handler may see.
func (a *Authenticator) deny(w http.ResponseWriter, r, stripped *http.Request, refused *Error, status int) {
	challenge := defaultChallenge
	if a != nil {
		challenge = cmp.Or(a.config.Challenge, defaultChallenge)
	}
	setDenialHeaders(w.Header(), challenge, status)
	if a == nil || a.config.Deny == nil {
		writeDenial(w, status)
		return
	}
	if status == http.StatusUnauthorized {
		stripped = withOutcome(stripped, a.nobody, nil) // Deny may call handlers
	}
	guarded := &denialWriter{to: w, header: w.Header().Clone(), challenge: challenge}
	_, err := safely.Do(func() (bool, error) {
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.config.Deny(w, r, refused) }), guarded, r, stripped)
		return true, nil
	})
	if err != nil {
		_ = a.panicked("Deny", err) // logs it; the answer is the default one
	}
	if !guarded.wrote {
		writeDenial(w, status)
	}
}

// setDenialHeaders removes headers of earlier middleware about a body that is not sent, and sets
// those that every refusal must have (RFC 9110, section 15.5.2; RFC 9440, section 2.4). The keys are
// canonical already, which saves time in a flood of refusals.
func setDenialHeaders(h http.Header, challenge string, status int) {
	for _, key := range [...]string{"Content-Length", "Content-Encoding", "Content-Type", "Etag", "Last-Modified", "Www-Authenticate"} {
		delete(h, key)
	}
	values := []string{"no-store", challenge}
	h["Cache-Control"] = values[0:1:1]
	if status == http.StatusUnauthorized {
		h["Www-Authenticate"] = values[1:2:2]
	}
}

func writeDenial(w http.ResponseWriter, status int) {
	body := body401
	if status == http.StatusForbidden {
		body = body403
	}
	h, values := w.Header(), []string{"application/problem+json", strconv.Itoa(len(body)), "nosniff"}
	h["Content-Type"], h["Content-Length"], h["X-Content-Type-Options"] = values[0:1:1], values[1:2:2], values[2:3:3]
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // an error cannot be reported to the client
}

// denialWriter lets a Deny hook write every response except success. Its header is a copy until the
// hook writes a status, so that a hook that panics, writes nothing, or writes 2xx has no effect. It
// has no Unwrap, so that http.ResponseController cannot bypass it.
type denialWriter struct {
	to        http.ResponseWriter
	header    http.Header
	challenge string
	wrote     bool // the response is the hook's
	refused   bool // the hook wrote a success, so nothing of its response is used
}

func (w *denialWriter) Header() http.Header { return w.header }

func (w *denialWriter) WriteHeader(status int) {
	if w.wrote || w.refused {
		return
	}
	if status < 300 || status > 599 { // 1xx (101 above all), 2xx, nonsense
		w.refused = true
		return
	}
	w.wrote = true
	if w.header.Get("Cache-Control") == "" {
		w.header.Set("Cache-Control", "no-store")
	}
	if status == http.StatusUnauthorized && w.header.Get("Www-Authenticate") == "" {
		w.header.Set("Www-Authenticate", w.challenge)
	}
	to := w.to.Header()
	clear(to)
	maps.Copy(to, w.header)
	w.to.WriteHeader(status)
}

// Write without a status would mean 200 and is dropped in the same way.
func (w *denialWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.refused {
		return len(b), nil
	}
	return w.to.Write(b)
}
