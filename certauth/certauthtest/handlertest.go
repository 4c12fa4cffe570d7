package certauthtest

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// HandlerTest says how a service is configured, for [TestHandler]. FrontEnd and Client are
// required.
type HandlerTest struct {
	// FrontEnd is the front end that the service is configured for. A forwarded.AppService
	// takes InsecureOutsideAppService, or the platform's variables in the environment of the
	// test.
	FrontEnd FrontEnd
	// Client is a certificate that must get in at Path, and With the CAs whose certificates
	// the client sends along. The table is forged from it.
	Client *Certificate
	With   []*CA
	// Issuer is the CA that issued Client. Without it rows that need its key are left out:
	// an expired certificate, one for servers, a CA certificate.
	Issuer *CA

	// Method and Path are those of a request that only a client with a certificate may make.
	// The defaults are GET and "/". Where a certificate is optional, take a route that
	// demands one.
	Method, Path string
	// Exempt is a path at which GET asks for no certificate, if there is one. The table then
	// looks for others that are exempt with it. The rows tell something where the handler
	// serves its protected content at other paths than Path, too.
	Exempt string

	// Secret holds the headers by which the service recognises the front end, with one value
	// each: that of forwarded.SharedSecret, X-Azure-FDID. They are on every request of the
	// front end and on none of a stranger.
	Secret http.Header
	// FrontEndCertificate is the certificate that the front end presents to the service, for
	// forwarded.ProxyCertificate. Requests are then made by TLS.
	FrontEndCertificate *Certificate
	// UnixSocket has the front end connect by a unix socket, and strangers by TCP. It is for
	// a handler, not for URL.
	UnixSocket bool
	// Stranger is the loopback address of senders other than the front end, whose own address
	// is 127.0.0.1. The default is 127.0.0.2; where the system has no such address, as on
	// macOS without "ifconfig lo0 alias 127.0.0.2", these rows are left out.
	Stranger string
	// InsecureAnyPeer says that the service trusts every sender, and leaves out the rows of
	// strangers.
	InsecureAnyPeer bool

	// Chain and Fingerprint say that the service reads the header in which the front end
	// forwards the chain, or the fingerprint, and FrontEndVerifies that it takes the front
	// end's verdict for an anchor.
	Chain, Fingerprint, FrontEndVerifies bool
	// KeyPinned says that the service recognises Client by its public key alone, so that a
	// certificate of another CA for the same key rightly gets in.
	KeyPinned bool

	// GotIn reports whether the handler's answer is one for clients that are let in, such as
	// by a text that only they see. The default goes by the status: 2xx, 101, and the hundred
	// that the answer to Client is of, which is 3xx if Path redirects.
	GotIn func(response *http.Response, body []byte) bool

	// Configure prepares the server that TestHandler starts for the handler, for instance
	// certauth's Authenticator.ConfigureServer with a handler that is not wrapped yet. By
	// default the server keeps its connections for gates such as forwarded.Peers, as
	// certauth.ConnContext does.
	Configure func(*http.Server) error
	// Outside says that URL, https then, is the front end itself, as clients reach it: not the
	// service but the way to it is tested, as the probes of package forwarded do. Client shows
	// its certificate in the handshake. The rows are what somebody without one sends, with all
	// that the front end would write for a client, and none may get in, genuine ones neither.
	Outside bool
	// URL is the base address of a service that runs already, on this machine, in place of a
	// handler: http or https, and a loopback address. Its certificate is not checked.
	URL string
}

// TestHandler fires the table of forged requests at a whole handler, as the service
// installs it, and fails if one gets in; or, with a nil handler, at the service at
// HandlerTest.URL. The table is forged.json, and FORGED.md in the same folder says how to read it and
// where its rows come from: advisories, and bugs of other libraries and front ends.
//
// The handler is served on loopback, by HTTP/1.1, where requests are written byte by byte
// since no client would send them, and by HTTP/2 over TLS. The client must get in on each,
// before the table and after it: of a handler that refuses every request the table says
// nothing. An answer that does not come within 30 seconds is a failure; an error page is a
// refusal.
//
// All that is wrong is reported at once, with the reason for each row. If tb has a method
// Logf, it gets a summary, with what was left out and why. What the table cannot show is
// whether the front end itself overwrites what it should: package forwarded says how to
// probe that.
func TestHandler(tb TB, handler http.Handler, test HandlerTest) {
	tb.Helper()
	run, err := newTableRun(tb, handler, test)
	if err != nil {
		tb.Fatalf("certauthtest: TestHandler: %v", err)
		return
	}
	report := run.all()
	if logger, ok := tb.(interface {
		Logf(format string, args ...any)
	}); ok {
		logger.Logf("certauthtest: %s", report.summary())
	}
	if len(report.wrong) > 0 {
		tb.Fatalf("certauthtest: %s\n%s", report.summary(), strings.Join(report.wrong, "\n"))
	}
}

// rowLimit bounds a row, with all its requests.
const rowLimit = 30 * time.Second

// newTableRun checks the test and starts the servers.
func newTableRun(tb TB, handler http.Handler, test HandlerTest) (*tableRun, error) {
	tb.Helper()
	layout, err := test.FrontEnd.layout()
	if err == nil {
		err = test.check(handler)
	}
	if err != nil {
		return nil, err
	}
	test.Method = otherwise(test.Method, http.MethodGet)
	test.Path = otherwise(test.Path, "/")
	test.Stranger = otherwise(test.Stranger, "127.0.0.2")
	run := &tableRun{rendering: newRenderingOf(tb, layout, &test), limit: rowLimit}
	if handler != nil {
		err = run.serve(handler)
	} else {
		err = run.connectTo(test.URL)
	}
	return run, err
}

func (test *HandlerTest) check(handler http.Handler) error {
	var found []error
	mistake := func(wrong bool, text string) {
		if wrong {
			found = append(found, errors.New(text))
		}
	}
	mistake((handler == nil) == (test.URL == ""), "give either a handler or HandlerTest.URL")
	mistake(test.Client == nil || test.Client.Certificate == nil, "HandlerTest.Client is nil: without a client that gets in the table proves nothing")
	mistake(test.Path != "" && !strings.HasPrefix(test.Path, "/"), "HandlerTest.Path does not start with a slash")
	mistake(test.Exempt != "" && (!strings.HasPrefix(test.Exempt, "/") || test.Exempt == otherwise(test.Path, "/")), "HandlerTest.Exempt is not a path beside Path")
	mistake(handler == nil && (test.UnixSocket || test.Configure != nil), "HandlerTest.UnixSocket and Configure are for a handler, not for URL")
	mistake(test.UnixSocket && test.FrontEndCertificate != nil, "HandlerTest.UnixSocket and FrontEndCertificate contradict each other")
	mistake(test.Outside && !strings.HasPrefix(test.URL, "https://"), "HandlerTest.Outside is for the https URL of a front end")
	mistake(test.Outside && (len(test.Secret) > 0 || test.FrontEndCertificate != nil), "HandlerTest.Outside: a client knows neither Secret nor FrontEndCertificate")
	for _, values := range test.Secret {
		mistake(len(values) != 1 || values[0] == "", "HandlerTest.Secret: one value for each header")
	}
	if test.Stranger != "" {
		address, err := netip.ParseAddr(test.Stranger)
		mistake(err != nil || !address.IsLoopback(), "HandlerTest.Stranger is not a loopback address")
	}
	return errors.Join(found...)
}
