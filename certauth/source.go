package certauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Source says where a request's client certificate comes from and who vouches that
// the caller held its key. It is the one thing this library cannot check for you: a
// certificate is public, so whoever may write the header can paste a genuine one.
//
// Use [TLS] where this process ends TLS, a preset of package forwarded behind a front
// end, or [SourceFunc] for anything else. A request has exactly one source; there is
// no fallback from one to another.
//
// Implementations must be safe for concurrent use and must not change the request.
type Source interface {
	// Certificates returns what the request presents. No certificates and no error
	// mean that none was offered. An [*Error] keeps its Reason; any other error
	// counts as [ReasonCertificateMalformed], never as absence.
	Certificates(r *http.Request) (Presented, error)
}

// Presented is what a source found in a request.
type Presented struct {
	// Certificates holds the leaf first, then whatever else was sent with it. Only
	// the first is the client; the others are hints for building a chain, are never
	// trusted, and never become roots.
	Certificates []*x509.Certificate
}

// SourceEnvironment is what [New] lends to a source that wants to be prepared.
type SourceEnvironment struct {
	// Now is the clock of the Authenticator, never nil.
	Now func() time.Time
	// Logger is the logger of the Authenticator, never nil.
	Logger *slog.Logger
	// ReloadInterval is Config.ReloadInterval.
	ReloadInterval time.Duration
	// Observe takes the reload events of an Authenticator that the source makes for
	// itself, so that they are reported like the others.
	Observe func(ctx context.Context, event Event)
	// OnReload registers what [Authenticator.Reload] is to call as well.
	OnReload func(reload func(ctx context.Context) error)
}

// PreparedSource is a Source whose configuration [New] checks before it is used.
// Prepare returns every mistake at once (errors.Join) and otherwise an immutable copy
// that serves the requests: a struct that embeds a prepared source and brings a
// Certificates method of its own needs its own Prepare too, or its method is never called.
type PreparedSource interface {
	Source
	Prepare(env SourceEnvironment) (Source, error)
}

// HeaderSource is a Source that reads request headers which no handler should see. Handler removes every spelling
// of them from each request that it passes on, and refuses requests whose Connection
// header names one of them.
type HeaderSource interface {
	Source
	// Headers returns the names of these headers, in any case.
	Headers() []string
}

// VerifyingSource is a Source whose front end verifies certificates, by the operator's
// own word. If FrontEndVerifies returns true after preparation, every certificate that the
// source hands out counts as anchored: names may be looked at without a [Chain] or a pin.
// Dates, usage, key and the rest of what is always on are judged here all the same;
// [AcceptServerAuth] is an error of New beside it.
type VerifyingSource interface {
	Source
	FrontEndVerifies() bool
}

// TLS takes the certificate from the TLS connection that this process accepted itself
// (http.Request.TLS). Set tls.Config.ClientAuth to tls.RequestClientCert or
// tls.RequireAnyClientCert; the whole policy is judged here, on every request, also on
// a resumed session. If a fixed set of client CAs is all you need, tls.Config.ClientCAs
// does it without this library.
//
// Who proved possession: the TLS handshake with this process.
//
// A request without TLS, or without a client certificate, offers none. Headers are not
// read. What must be true of your infrastructure: nothing in front ends TLS, for then
// the certificate seen here is the front end's own.
type TLS struct{}

// Certificates implements [Source].
func (TLS) Certificates(r *http.Request) (Presented, error) {
	if r.TLS == nil {
		return Presented{}, &Error{
			Reason: ReasonCertificateMissing, Rule: "Source.TLS", Err: errors.New("the connection is not TLS"),
			Hint: "TLS ends in front of this process; use a source of package forwarded",
		}
	}
	return Presented{Certificates: r.TLS.PeerCertificates}, nil
}

// String names the source.
func (TLS) String() string { return "certauth.TLS" }

// SourceFunc is a source of your own. Func returns the certificates, leaf first; none
// and no error mean that none was offered; an error is a malformed offer, unless it is
// an [*Error] with another Reason.
//
// Who proved possession: whoever Func trusts, and only if it checks that the request
// came from there. The library applies its caps and its policy to what Func returns,
// but cannot know which headers it read: they are not removed.
type SourceFunc struct {
	// Name appears in logs and errors. Required.
	Name string
	// Func reads the certificates; it is called once a request, concurrently. A panic
	// in it denies the request. Required.
	Func func(*http.Request) ([]*x509.Certificate, error)
}

// Certificates implements [Source].
func (s SourceFunc) Certificates(r *http.Request) (Presented, error) {
	if s.Func == nil {
		return Presented{}, refusal(ReasonNotConfigured, "Source.SourceFunc", "Func is nil")
	}
	certs, err := s.Func(r)
	if err != nil {
		return Presented{}, err
	}
	return Presented{Certificates: certs}, nil
}

// Prepare implements [PreparedSource].
func (s SourceFunc) Prepare(SourceEnvironment) (Source, error) {
	var mistakes []error
	if s.Name == "" {
		mistakes = append(mistakes, errors.New("SourceFunc.Name: empty"))
	}
	if s.Func == nil {
		mistakes = append(mistakes, errors.New("SourceFunc.Func: nil"))
	}
	return s, errors.Join(mistakes...)
}

// String names the source.
func (s SourceFunc) String() string { return fmt.Sprintf("certauth.SourceFunc(%s)", quote(s.Name)) }
