package unittest

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// callLimit bounds the duration of one call of a source or a policy.
const callLimit = 30 * time.Second

// soonOver is the timeout of a context that should end while a slow policy or source is still
// working. A fast one has finished by then, which is fine.
const soonOver = 10 * time.Millisecond

// TestPolicy checks a policy of your own, in particular a certauth.PolicyFunc. It combines the
// policy with a pin of each certificate that it judges, and checks that
//
//   - accepted is accepted, and the others are refused, by the policy and not because they have expired or are not for
//     client authentication;
//   - the answer is the same each time, for a copy of the request, and for concurrent requests
//     (run the test with -race);
//   - it returns when its context ends, with any answer;
//   - no certificate makes it panic: without a name, with names of every kind, with control
//     characters in them, with many of them, with nothing known but a public key.
//
// At least one client must be refused, because a policy that accepts everybody would otherwise pass.
//
// The test fails at the first violation. If certauth.New accepts your policy only together with a
// Chain, pass both: certauth.All{chain, policy}.
func TestPolicy(tb certauthtest.TB, policy certauth.Policy, accepted *certauthtest.Certificate, refused ...*certauthtest.Certificate) {
	tb.Helper()
	if accepted == nil || accepted.Certificate == nil {
		tb.Fatalf("unittest: TestPolicy: accepted is nil: a policy that refuses every client proves nothing")
		return
	}
	for i, client := range append([]*certauthtest.Certificate{accepted}, refused...) {
		want := certauth.ReasonNone
		what := "the client that must be accepted"
		if i > 0 {
			what = fmt.Sprintf("client %d of those that must be refused", i)
		}
		if client == nil || client.Certificate == nil {
			tb.Fatalf("unittest: TestPolicy: %s is nil", what)
			return
		}
		pin := certauth.Certificates(client.Certificate)
		if err := alone(pin, client.Certificate); err != nil && i > 0 {
			tb.Fatalf("unittest: TestPolicy: %s is refused whatever the policy says, which proves nothing about it: %v", what, err)
			return
		}
		auth, err := behind(pin, policy, client.Certificate)
		if err != nil {
			tb.Fatalf("unittest: TestPolicy: %v", err)
			return
		}
		first, err := ask(context.Background(), auth)
		switch {
		case err != nil:
			tb.Fatalf("unittest: TestPolicy: %s: %v", what, err)
			return
		case (first == want) != (i == 0):
			tb.Fatalf("unittest: TestPolicy: %s: the reason is %q", what, first)
			return
		}
		if err := steady(auth, first); err != nil {
			tb.Fatalf("unittest: TestPolicy: %s: %v", what, err)
			return
		}
	}
	for _, odd := range oddClients(tb) {
		for _, pin := range []certauth.Policy{certauth.Certificates(odd.Certificate), certauth.PublicKeys{keyHash(odd.Certificate)}} {
			auth, err := behind(pin, policy, odd.Certificate)
			if err != nil {
				continue // such as a rule on names, for which a key pin does not vouch
			}
			if _, err := ask(context.Background(), auth); err != nil {
				tb.Fatalf("unittest: TestPolicy: the certificate %.60q: %v", odd.Subject.String(), err)
				return
			}
		}
	}
	if len(refused) == 0 {
		tb.Fatalf("unittest: TestPolicy: no client must be refused: a policy that accepts every client would pass")
	}
}

func keyHash(cert *x509.Certificate) string { return (&certauth.Identity{Leaf: cert}).PublicKeyHash() }

// alone returns the refusal of a certificate by the checks that are always on, such as those of its dates.
func alone(pin certauth.Policy, client *x509.Certificate) error {
	auth, err := certauth.New(certauth.Config{Source: only(client), Policy: pin})
	if err != nil {
		return err
	}
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	return err
}

// behind combines the policy with a pin.
func behind(pin, policy certauth.Policy, client *x509.Certificate) (*certauth.Authenticator, error) {
	return certauth.New(certauth.Config{Source: only(client), Policy: certauth.All{pin, policy}})
}

// ask returns the reason of the answer. It returns an error if the policy panics or does not
// return.
func ask(ctx context.Context, auth *certauth.Authenticator) (certauth.Reason, error) {
	var reason certauth.Reason
	err := inTime(func() error {
		_, refusal := auth.Check(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		var refused *certauth.Error
		if errors.As(refusal, &refused) {
			reason = refused.Reason
		}
		if reason == certauth.ReasonInternalError {
			return fmt.Errorf("it panics or returns an internal error: %w", refusal)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return reason, nil
}

// inTime calls f and stops waiting if it does not return in time.
func inTime(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	limit := time.NewTimer(callLimit)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return fmt.Errorf("it has not returned after %v", callLimit)
	}
}

// steady asks again in several ways, none of which may change the answer.
func steady(auth *certauth.Authenticator, first certauth.Reason) error {
	const callers = 16
	var group sync.WaitGroup
	var wrong [callers]error
	for i := range callers {
		group.Go(func() {
			again, err := ask(context.Background(), auth)
			if err == nil && again != first {
				err = fmt.Errorf("the answer was %q and is %q for the same certificate", string(first), string(again))
			}
			wrong[i] = err
		})
	}
	group.Wait()
	soon, cancel := context.WithTimeout(context.Background(), soonOver)
	defer cancel()
	_, err := ask(soon, auth)
	return errors.Join(errors.Join(wrong[:]...), err)
}

// oddClients returns valid certificates with unusual contents.
func oddClients(tb certauthtest.TB) []*certauthtest.Certificate {
	tb.Helper()
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("%d.example", i))
	}
	opaque := func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "urn", Opaque: "uuid:1"}} }
	return []*certauthtest.Certificate{
		certauthtest.SelfSigned(tb, "", certauthtest.Subject(pkix.Name{})),
		certauthtest.SelfSigned(tb, "", certauthtest.Subject(pkix.Name{}), certauthtest.DNS("only.example")),
		certauthtest.SelfSigned(tb, "a\r\nb\x00c\"d,e=f"),
		certauthtest.SelfSigned(tb, strings.Repeat("a", 4000)),
		certauthtest.SelfSigned(tb, "\u202egro.elpmaxe"),
		certauthtest.SelfSigned(tb, "many", certauthtest.DNS(many...)),
		certauthtest.SelfSigned(tb, "every", certauthtest.DNS("*.example"), certauthtest.Email("a@b.example"), certauthtest.IP("10.0.0.1", "::1"), certauthtest.URI(tb, "spiffe://a/b")),
		certauthtest.SelfSigned(tb, "opaque", opaque),
		certauthtest.SelfSigned(tb, "units", certauthtest.Subject(pkix.Name{OrganizationalUnit: []string{"", " ", "a"}, Organization: []string{"b", "b"}})),
	}
}
