package certauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// Config says who may call. Its zero value is an error of [New]: there is no default
// source and no default policy. Every other zero field is the strict choice. New copies
// it; changing it later has no effect.
type Config struct {
	// Source says who wrote the certificate into the request. Required.
	Source Source

	// Policy decides who comes in. Required.
	Policy Policy

	// Optional lets a request without a certificate through, without an identity. By
	// default it is refused. A certificate that is offered and wrong, in whatever way, is
	// refused in either case.
	Optional bool

	// Exclusions lists the requests that need no certificate. They carry no identity,
	// whatever they bring along.
	Exclusions []Exclusion

	// Deny writes the response to a refused request instead of the default. It sees the
	// request without the certificate headers; WWW-Authenticate and Cache-Control are
	// already set and may be changed. A 2xx status, a body without a status, no response at
	// all, and a panic become the default response, and nothing of the hook's is sent. Show
	// the client nothing of the error.
	Deny func(w http.ResponseWriter, r *http.Request, err *Error)

	// Challenge is the value of WWW-Authenticate on a 401. The default is
	// `ClientCertificate realm="client-certificate"`.
	Challenge string

	// Logger gets the policy once, a record a line, refusals at level Warn, reload failures at Error, and
	// accepted requests at Debug, with the request's context. Nil logs nothing. The
	// certificate header's value is never logged. "Log records" in the package's
	// documentation lists the attributes.
	Logger *slog.Logger

	// LogRepeats logs every refusal. By default those of the same outcome, reason, rule, path
	// and, where its names are verified, certificate are one record a minute, the first at
	// once; the attribute "repeated" counts what was left out. Observe is told of each.
	LogRepeats bool

	// Observe is called for every decision and every reload, before the handler runs.
	// It must be fast and safe for concurrent use; a panic in it refuses the request.
	Observe func(ctx context.Context, event Event)

	// Now is the clock. The default is time.Now.
	Now func() time.Time

	// ReloadInterval is how often files, environment variables and functions are read
	// again, at most and only while requests arrive. 0 means 30 seconds;
	// below 10 milliseconds is an error of New. [Authenticator.Reload] reads at once.
	ReloadInterval time.Duration

	// CacheSize is how many certificates are remembered at most: those accepted before, with
	// what was found out about them (parsed form and verified chains), never with the outcome
	// of a rule. The whole policy is judged on every request, and a certificate that nobody
	// presents twice displaces none that come regularly. 0 means 4096, negative remembers
	// nothing, and more than 1048576 is an error of New.
	//
	// Each takes 6 to 7 kilobytes, and at most 16 with what the caller sends along, beside
	// a leaf of the usual size. A certificate that comes with more than 8 kilobytes of others
	// is judged anew each time. Of one certificate with ever other ones beside it, four are
	// remembered.
	CacheSize int

	// InsecureReportOnly lets every request through and reports what it would have
	// refused. What can happen: nobody is kept out. A request that would have been
	// refused reaches the handler without an identity; use it to try a policy on live
	// traffic, behind another guard, and then take it out.
	InsecureReportOnly bool
}

const defaultChallenge = `ClientCertificate realm="client-certificate"`

// check reports every mistake outside Source, Policy and Exclusions.
func (c *Config) check() []error {
	var mistakes []error
	if c.Challenge != "" {
		if err := checkChallenge(c.Challenge); err != nil {
			mistakes = append(mistakes, fmt.Errorf("Challenge: %w", err))
		}
	}
	if c.CacheSize > factcache.MaxSize {
		mistakes = append(mistakes, fmt.Errorf("CacheSize: %d, want at most %d, or 0 for %d", c.CacheSize, factcache.MaxSize, factcache.DefaultSize))
	}
	if c.ReloadInterval != 0 && c.ReloadInterval < 10*time.Millisecond {
		mistakes = append(mistakes, fmt.Errorf("ReloadInterval: %s, want at least 10ms, or 0 for %s", c.ReloadInterval, reload.DefaultInterval))
	}
	return mistakes
}

// checkChallenge wants an authentication scheme and, after one space, anything
// printable (RFC 9110, section 11.6.1).
func checkChallenge(s string) error {
	scheme, _, _ := strings.Cut(s, " ")
	if !httpheader.IsToken(scheme) {
		return errors.New("does not start with an authentication scheme")
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return errors.New("byte outside printable ASCII")
		}
	}
	return nil
}
