package certauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Source is the place in a request where the client certificate comes from. It thereby determines
// which party vouches that the caller holds the private key. This library cannot check that,
// because a certificate is public: anyone who can write the header can paste a genuine one into
// it.
//
// Use [TLS] if this process terminates TLS, a preset of package forwarded behind a front end, and
// [SourceFunc] for anything else. The interface cannot be implemented elsewhere. A request has
// exactly one source; there is no fallback from one to another.
//
// A struct that embeds a source is an error of [New], because New would use the embedded source
// and call none of the methods that the struct adds. Set Config.Source to the source itself, make
// further checks in middleware around [Authenticator.Handler], or write a SourceFunc.
type Source interface {
	// Prepare checks the configuration of the source and returns the immutable form that
	// processes requests. New calls it once.
	Prepare(env source.Environment) (*source.Reader, error)
}

// TLS takes the certificate from the TLS connection that this process accepted itself
// (http.Request.TLS). Set tls.Config.ClientAuth to tls.RequestClientCert or
// tls.RequireAnyClientCert. The whole policy is evaluated on every request, also on a resumed
// session. If a fixed set of client CAs is all you need, use tls.Config.ClientCAs without this
// library.
//
// Who proved possession: the client, in the TLS handshake with this process. A certificate in
// early data, which an HTTP/3 server passes on before the handshake ends, is
// [ReasonFrontEndUnverified]: whoever recorded the request can send it again.
//
// A request without TLS, or without a client certificate, offers no certificate. Headers are not
// read. What must be true of your infrastructure: no front end terminates TLS before this
// process, because the certificate seen here would be the front end's own.
type TLS struct{}

// Prepare implements [Source].
func (s TLS) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: s.String(), Offer: s.offer}, nil
}

func (TLS) offer(r *http.Request, offer *source.Offer) error {
	if r.TLS == nil {
		return &Error{
			Reason: ReasonCertificateMissing, Rule: "Source.TLS", Err: errors.New("the connection is not TLS"),
			Hint: "TLS is terminated before this process; use a source of package forwarded",
		}
	}
	if len(r.TLS.PeerCertificates) == 0 {
		return errNoTLSCertificate
	}
	if r.TLS.DidResume && !r.TLS.HandshakeComplete {
		return errEarlyTLS
	}
	offer.Certificates = r.TLS.PeerCertificates
	return nil
}

// errEarlyTLS is the refusal of a request in early data, which only QUIC offers to a Go server. The
// certificate is that of the resumed session.
var errEarlyTLS = &Error{
	Reason: ReasonFrontEndUnverified, Rule: "Source.TLS",
	Err:  errors.New("the request came in TLS 1.3 early data, which anyone who recorded it can send again without the key"),
	Hint: "switch early data (0-RTT) off in the HTTP/3 server: quic.Config.Allow0RTT",
}

var errNoTLSCertificate = &Error{
	Reason: ReasonCertificateMissing, Rule: "Source.TLS", Err: errors.New("no certificate"),
	Hint: "the client presented none: set tls.Config.ClientAuth to tls.RequestClientCert or stricter, and check the client's configuration; a probe or a public path needs an entry in Config.Exclusions with its method and path",
}

// String names the source.
func (TLS) String() string { return "certauth.TLS" }

// SourceFunc is a source of your own.
//
// Who proved possession: the client, to the peer that Func trusts, and only if Func checks that
// the request came from that peer. The library applies its limits and the policy to the result of
// Func, and refuses a certificate in a request that a front end marks as early data by the header
// Early-Data (RFC 8470), because anyone who recorded it can send it again.
type SourceFunc struct {
	// Name appears in logs and errors. Required.
	Name string

	// Headers lists all request headers that Func reads, in any case. Handler removes every
	// spelling of them from the request after Func has read it, and refuses requests whose
	// Connection header names one of them. A header that is not listed reaches the handlers.
	// Leave it empty if Func reads no header.
	Headers []string

	// Func returns the certificates, leaf first. Only the first is the client's; the others are
	// hints for building a chain and are never trusted. No certificate and no error means that
	// none was offered. An [*Error] keeps its Reason; any other error counts as
	// [ReasonCertificateMalformed], never as absence. Func is called once per request,
	// concurrently, and must not change the request. If it panics the request is refused.
	// Required.
	Func func(*http.Request) ([]*x509.Certificate, error)
}

// Prepare implements [Source].
func (s SourceFunc) Prepare(source.Environment) (*source.Reader, error) {
	var found []error
	if s.Name == "" {
		found = append(found, errors.New("SourceFunc.Name: empty"))
	}
	if s.Func == nil {
		found = append(found, errors.New("SourceFunc.Func: nil"))
	}
	return &source.Reader{Name: s.String(), Headers: slices.Clone(s.Headers), Offer: s.offer}, errors.Join(found...)
}

func (s SourceFunc) offer(r *http.Request, offer *source.Offer) error {
	certs, err := s.Func(r)
	if err != nil {
		return err
	}
	if len(certs) > 0 && strings.Join(r.Header["Early-Data"], "") != "" {
		return &Error{Reason: ReasonFrontEndUnverified, Err: fmt.Errorf("Early-Data: %w", errEarlyTLS.Err), Hint: "switch early data (0-RTT) off in the front end"}
	}
	offer.Certificates = certs
	return nil
}

// String names the source.
func (s SourceFunc) String() string { return fmt.Sprintf("certauth.SourceFunc(%s)", quote(s.Name)) }

// prepareSource checks the source and keeps the form that serves the requests.
func (a *Authenticator) prepareSource(env source.Environment) []error {
	given := a.config.Source
	if isNil(given) {
		return []error{errors.New("Source: nil; set the source of the front end that forwards the certificate")}
	}
	if embedded, ok := embeddedSource(given); ok {
		return []error{fmt.Errorf("Source: %T embeds %s, but its own methods would never be called; use the embedded source, or write a SourceFunc", given, embedded)}
	}
	reader, err := safely.Do(func() (*source.Reader, error) { return given.Prepare(env) })
	if err != nil {
		return mistakes.Prefix("Source: ", err)
	}
	if reader == nil || reader.Offer == nil {
		return []error{errors.New("Source: Prepare returned nil")}
	}
	headers, err := newHeaderSet(reader.Headers, reader.Kept)
	if err != nil {
		return mistakes.Prefix("Source: ", err)
	}
	a.source, a.headers = reader, headers
	return nil
}

var sourceInterface = reflect.TypeFor[Source]()

// embeddedSource names a source that the type of s embeds. The promoted Prepare would make New use
// the embedded source and ignore the methods of the type.
func embeddedSource(s Source) (string, bool) {
	t := reflect.TypeOf(s)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return "", false
	}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous && (field.Type.Implements(sourceInterface) || reflect.PointerTo(field.Type).Implements(sourceInterface)) {
			return field.Type.String(), true
		}
	}
	return "", false
}

// hop is an Authenticator that a source makes to check the sender's certificate by a policy.
type hop struct{ auth *Authenticator }

// newHop makes a hop whose reloads are started and reported with those of a.
func (a *Authenticator) newHop(from source.Source, policy any, report func(Event)) (source.Hop, error) {
	judged, _ := policy.(Policy)
	auth, err := New(Config{
		Source: from, Policy: judged, Now: a.config.Now, ReloadInterval: a.config.ReloadInterval,
		Observe: func(_ context.Context, event Event) { report(event) },
	})
	if err != nil {
		return nil, err
	}
	if !auth.standing.named {
		return nil, errors.New("the gate would accept every certificate of the CA; add a rule on the sender's name, or pin its certificate")
	}
	a.sourceReloads = append(a.sourceReloads, auth.Reload)
	return hop{auth}, nil
}

// Admit implements [source.Hop].
func (h hop) Admit(r *http.Request) error {
	_, err := h.auth.check(r, true) // the certificate is the sender's, and never the caller's
	return err
}

// String implements [source.Hop].
func (h hop) String() string {
	_, policy, _ := strings.Cut(h.auth.String(), "policy:\n")
	var parts []string
	for line := range strings.Lines(policy) {
		parts = append(parts, strings.TrimSpace(line))
	}
	return strings.Join(parts, "; ")
}
