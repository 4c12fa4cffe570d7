package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// withDenied adds the emergency list, which is normally empty. An unreadable entry is an error of
// New.
func withDenied(policy certauth.Policy) certauth.Policy {
	denied := certauth.Denied{PublicKeys: strings.Fields(os.Getenv("DENIED_KEYS"))}
	if list := os.Getenv("DENIED_CERTIFICATES"); list != "" {
		for entry := range strings.SplitSeq(list, ";") { // "<serial> <issuer>"
			serial, issuer, _ := strings.Cut(strings.TrimSpace(entry), " ")
			denied.Serials = append(denied.Serials, certauth.IssuerSerial{Issuer: issuer, Serial: serial})
		}
	}
	if len(denied.PublicKeys)+len(denied.Serials) == 0 {
		return policy
	}
	return certauth.All{policy, denied}
}

// A policy with an emergency list that a setting fills.
func ExampleDenied_emergency() {
	world := newExampleWorld()
	defer world.close()
	_ = os.Setenv("DENIED_CERTIFICATES", world.partner.SerialNumber.Text(16)+" CN=Partner Root,O=certauthtest")
	defer func() { _ = os.Unsetenv("DENIED_CERTIFICATES") }()

	policy := certauth.All{
		certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
		certauth.DNSNames{"orders.partner.example"},
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: withDenied(policy)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(auth)
	// The output is not compared, because it contains the current date.
}

// A signal that reloads everything immediately.
func ExampleAuthenticator_Reload_signal() {
	reloadOn := func(ctx context.Context, auth *certauth.Authenticator, own *outbound.Certificate, checker *revocation.Checker, logger *slog.Logger) {
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGHUP)
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
				if err := errors.Join(auth.Reload(ctx), own.Reload(ctx), checker.Refresh(ctx)); err != nil {
					logger.ErrorContext(ctx, "reload", "error", err)
				}
			}
		}
	}
	_ = reloadOn
}

// plannedOutage makes the checker for a partner whose responder is down at known times.
func plannedOutage(crlURL string, issuing *x509.Certificate, logger *slog.Logger) (*revocation.Checker, error) {
	checker, err := revocation.New(revocation.Config{
		Sources: revocation.PreferCRL,
		Lists:   []revocation.List{{URL: crlURL}}, // "http://crl.partner.internal/issuing.crl"
		Issuers: []*x509.Certificate{issuing},     // the CA that signs the list
		Logger:  logger,
	})
	return checker, err
}
