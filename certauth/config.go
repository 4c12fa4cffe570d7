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

// Config describes which callers are accepted. Its zero value is an error of [New]: there is no
// default source and no default policy. Every other zero field is the strict choice. New copies
// the Config; changing it later has no effect.
type Config struct {
	// Source determines where the certificate of a request comes from. Required.
	Source Source

	// Policy determines which certificates are accepted. Required.
	Policy Policy

	// Optional accepts a request without a certificate, without an identity. By default it is
	// refused. A certificate that is invalid in any way is refused in either case.
	Optional bool

	// Exclusions lists the requests that need no certificate. They have no identity, even if they
	// carry a certificate.
	Exclusions []Exclusion

	// Deny writes the response to a refused request instead of the default. It sees the request
	// without the certificate headers; WWW-Authenticate and Cache-Control are already set and may
	// be changed. If it writes a 2xx status, a body without a status, or no response, or if it
	// panics before it has written a status, the default response is sent and nothing that it
	// wrote. A later panic ends its response there; it is logged, and the server does not see it.
	// Do not show the client anything of the error.
	Deny func(w http.ResponseWriter, r *http.Request, err *Error)

	// Challenge is the value of WWW-Authenticate on a 401. The default is
	// `ClientCertificate realm="client-certificate"`. A value that does not begin with an
	// authentication scheme, or holds a byte outside printable ASCII, is an error of New.
	Challenge string

	// Logger receives the policy at start, one record per line, refusals at level Warn, reload
	// failures at Error, once an hour while one lasts, and accepted requests at Debug, with the
	// request's context. Nil logs nothing. The value of the certificate header is never logged.
	// "Log records" in the package documentation lists the attributes.
	Logger *slog.Logger

	// LogRepeats logs every refusal. By default refusals with the same outcome, reason, rule,
	// path and certificate are logged once a minute, the first one at once; the attribute
	// "repeated" counts the others. Observe is called for each.
	LogRepeats bool

	// Observe is called for every decision, before the handler runs, and for every reload and
	// every report about the configuration (see [Outcome]). It must be fast and safe for
	// concurrent use; a panic in it refuses the request. Nil is ignored.
	Observe func(ctx context.Context, event Event)

	// Now is the clock; it must be safe for concurrent use. The default is time.Now.
	Now func() time.Time

	// ReloadInterval is the minimum time between two reads of files, environment variables and
	// functions, which happen only while requests arrive. 0 means 30s; less than 10ms is an error
	// of New. [Authenticator.Reload] reads them at once.
	ReloadInterval time.Duration

	// CacheSize is the maximum number of remembered certificates: accepted ones, with facts about
	// them (parsed form and verified chains) but never with the result of a rule. The whole
	// policy is evaluated on every request. Certificates that are presented only once do not
	// displace those that are presented regularly. 0 means 4096, a negative value remembers
	// nothing, and more than 1048576 is an error of New.
	//
	// Each takes 6 to 7 kilobytes, and at most 16 kilobytes with the certificates that the caller
	// sends along, for a leaf of the usual size. A certificate that comes with more than 8
	// kilobytes of other certificates is not remembered. If one certificate comes with
	// different other certificates, four combinations are remembered.
	CacheSize int

	// InsecureReportOnly accepts every request and reports the refusals that it would have made.
	// What can happen: no caller is refused. A request that would have been refused reaches the
	// handler without an identity and, like every request, without the certificate headers: a
	// check of your own that reads them must run before this package does, as examples/migrate
	// shows. Behind it such a check finds no certificate, and may accept everybody. Use this
	// field to try a policy on live traffic, behind another protection, and then remove it.
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

// checkChallenge requires an authentication scheme and, after one space, anything printable (RFC
// 9110, section 11.6.1).
func checkChallenge(s string) error {
	scheme, _, _ := strings.Cut(s, " ")
	if !httpheader.IsToken(scheme) {
		return errors.New("does not start with an authentication scheme")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("byte outside printable ASCII")
	}
	return nil
}
