package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// platformEvidence is a gate that relies on evidence of App Service: the environment of the
// process, and the headers that the front end adds to every request from outside.
type platformEvidence struct {
	from    Gate // checked as well, if set
	outside bool // do not check the environment
}

const hintOutside = "behind another front end use its source; for a local test set InsecureOutsideAppService"

func missingVariables() []string {
	var missing []string
	for _, name := range []string{variableSiteName, variableInstanceID} {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// warnOutside logs once at start that every certificate will be refused outside App Service.
func warnOutside(env source.Environment) {
	if missing := missingVariables(); len(missing) > 0 && env.Logger != nil {
		env.Logger.Warn("forwarded: not on App Service, every certificate will be refused as untrusted",
			"unset", strings.Join(missing, ", "), "hint", hintOutside)
	}
}

// prepare returns a gate whose name is empty if there is nothing to report beyond the
// platform's own evidence.
func (p platformEvidence) prepare(env source.Environment) (gate, error) {
	var missing, notes []string
	if !p.outside {
		missing = missingVariables()
	}
	switch {
	case len(missing) > 0:
		notes = append(notes, "not on App Service: refuses every certificate")
	case p.outside:
		notes = append(notes, "insecure: outside App Service")
	}
	gates := []gate{check("", func(r *http.Request) error {
		if len(missing) > 0 {
			return &senderError{"not on App Service: " + strings.Join(missing, " and ") + " not set", hintOutside}
		}
		return socket.Tunnel(r)
	})}
	if p.from != nil {
		from, err := prepareGate(p.from, env)
		if err != nil {
			return gate{}, err
		}
		gates = append(gates, from)
		notes = append(notes, "from "+from.name)
	}
	all := combine("", append(gates, check("", new(platformHeaders).check)), admitEvery)
	all.name = strings.Join(notes, ", ")
	return all, nil
}

// platformHeaders checks the headers that the platform's front end adds.
type platformHeaders struct {
	ssl atomic.Pointer[string] // the last well-formed X-ARR-SSL, which is the same for a whole site
}

// wellFormed checks the form of a value unless it equals the last well-formed one.
func (h *platformHeaders) wellFormed(ssl string) bool {
	if last := h.ssl.Load(); last != nil && *last == ssl {
		return true
	}
	if !isARRSSL(ssl) {
		return false
	}
	kept := strings.Clone(ssl)
	h.ssl.Store(&kept)
	return true
}

func (h *platformHeaders) check(r *http.Request) error {
	if id, ok := only(r.Header[headerARRLogID]); !ok || id == "" {
		return errors.New("want exactly one non-empty X-ARR-LOG-ID")
	}
	if ssl, ok := only(r.Header[headerARRSSL]); !ok || !h.wellFormed(ssl) {
		return errors.New("want exactly one well-formed X-ARR-SSL")
	}
	if proto := r.Header[headerAppServiceProto]; len(proto) > 0 {
		value, ok := only(proto)
		switch {
		case !ok:
			return fmt.Errorf("%d values of X-AppService-Proto, want 1", len(proto))
		case value != "https":
			return fmt.Errorf("X-AppService-Proto is %s, want https", logtext.Quote(value[:min(len(value), maxFlag)]))
		}
	}
	return nil
}

func only(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// isARRSSL checks the form "key bits|cipher bits|issuer|subject", which describes the
// platform's own server certificate. The names are ignored, because their order has changed
// over the years.
func isARRSSL(value string) bool {
	if len(value) > 2048 {
		return false
	}
	keyBits, rest, _ := strings.Cut(value, "|")
	cipherBits, names, _ := strings.Cut(rest, "|")
	return isNumber(keyBits) && isNumber(cipherBits) && strings.Count(names, "|") == 1
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 6 && strings.Trim(s, "0123456789") == ""
}
