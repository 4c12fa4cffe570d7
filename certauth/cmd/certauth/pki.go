package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

var pkiCommand = &command{
	name: "pki", args: "DIRECTORY", short: "a small test PKI on disk, with a policy document that goes with it",
	long: `
It makes a root, an issuing CA, clients (good, revoked, expired, of a stranger), the CRL and an OCSP
answer of the issuing CA, and policy.json, whose cases pass. The keys of the CAs are thrown away, so
that nothing can be issued later. Try, in that directory:

  certauth check policy.json
  certauth explain -policy policy.json -revocation good stranger.pem

Everything is for tests. It never overwrites a file.`,
	run: runPKI,
}

func runPKI(p *program, c *command, args []string) (int, error) {
	rest, err := p.parse(c, p.flags(c), args, 1, 1)
	if err != nil {
		return 0, err
	}
	dir := rest[0]
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	files := &newFiles{dir: dir}
	err = safely(func(tb certauthtest.TB) { makePKI(p, tb, files.write) })
	if err := files.done(err); err != nil {
		return 0, err
	}
	for _, name := range files.made {
		fmt.Fprintln(p.out, name)
	}
	return exitOK, nil
}

// newFiles are the files that a command makes in a directory: all of them, or none.
type newFiles struct {
	dir    string
	made   []string
	failed error
}

// write writes a file that does not exist yet.
func (f *newFiles) write(name string, content []byte) {
	if f.failed != nil {
		return
	}
	name = filepath.Join(f.dir, name)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the directory
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s exists already and is not overwritten; give another directory, or remove the old files", name)
	}
	if err != nil {
		f.failed = err
		return
	}
	f.made = append(f.made, name)
	_, err = file.Write(content)
	f.failed = errors.Join(err, file.Close())
}

// done returns the error with which the files were made, and then removes those that were.
func (f *newFiles) done(err error) error {
	if err = errors.Join(err, f.failed); err != nil {
		for _, name := range f.made {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return err
}

func makePKI(p *program, tb certauthtest.TB, write func(name string, content []byte)) {
	now := p.now()
	root := certauthtest.NewCA(tb, "Example Root")
	issuing := root.NewIntermediate(tb, "Example Issuing CA")
	stranger := certauthtest.NewCA(tb, "Somebody Else's Root")
	write("root.pem", root.PEM())
	write("issuing.pem", issuing.PEM())
	client := func(name string, ca *certauthtest.CA, change ...certauthtest.Template) *certauthtest.Certificate {
		cert := ca.Issue(tb, name, append([]certauthtest.Template{certauthtest.DNS(name + ".partner.example")}, change...)...)
		write(name+".pem", cert.PEM())
		write(name+".key", cert.KeyPEM(tb))
		return cert
	}
	good := client("orders", issuing)
	revoked := client("revoked", issuing)
	client("expired", issuing, certauthtest.Valid(now.Add(-60*24*time.Hour), now.Add(-24*time.Hour)))
	client("stranger", stranger)
	write("orders.header", []byte("X-ARR-ClientCert: "+good.Base64()+"\n"))

	lists := certauthtest.NewCRLServer(tb, issuing)
	lists.Revoke(revoked.SerialNumber, 1)
	lists.SetValidity(time.Second, 30*24*time.Hour)
	crl, err := lists.CRL()
	if err != nil {
		tb.Fatalf("crl: %v", err)
	}
	write("issuing.crl", crl)
	write("orders.ocsp", ocspAnswer(p.ctx, tb, issuing, good.Certificate))
	write("policy.json", document(tb))
}

// ocspAnswer returns the answer of the issuing CA's responder about a certificate.
func ocspAnswer(ctx context.Context, tb certauthtest.TB, ca *certauthtest.CA, cert *x509.Certificate) []byte {
	responder := certauthtest.NewResponder(tb, ca)
	request, err := ocsp.CreateRequest(cert, ca.Certificate, nil)
	if err != nil {
		tb.Fatalf("ocsp: %v", err)
	}
	w := httptest.NewRecorder()
	responder.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(request)))
	if w.Code != http.StatusOK {
		tb.Fatalf("ocsp: status %d", w.Code)
	}
	return w.Body.Bytes()
}

// document is the policy that goes with the PKI.
func document(tb certauthtest.TB) []byte {
	type object = map[string]any
	text, err := json.MarshalIndent(object{
		"description": "the partner's orders service may call",
		"source":      object{"appService": object{}},
		"policy": object{"named": object{"name": "orders", "policy": object{"all": []object{
			{"chain": object{"roots": object{"pemFile": "root.pem"}, "intermediates": object{"pemFile": "issuing.pem"}}},
			{"dnsNames": []string{"orders.partner.example", "revoked.partner.example", "expired.partner.example"}},
			{"notRevoked": object{"checker": "lists"}},
		}}}},
		"revocation": object{"lists": object{
			"sources": "crlOnly", "scope": "leafOnly", "ignoreCertificateURLs": true,
			"lists": []object{{"file": "issuing.crl"}}, "issuers": object{"pemFile": "issuing.pem"},
		}},
		"exclusions": []object{{"path": "/health", "reason": "platform probe carries no certificate", "control": "returns no data"}},
		"cases": []object{
			{"name": "the partner comes in", "certificate": object{"pemFile": "orders.pem"}, "at": "now", "expect": "accepted", "roles": []string{"orders"}},
			{"name": "revoked", "certificate": object{"pemFile": "revoked.pem"}, "at": "now", "revocation": "revoked", "expect": "certificate_revoked"},
			{"name": "expired", "certificate": object{"pemFile": "expired.pem"}, "at": "now", "expect": "certificate_expired"},
			{"name": "a stranger", "certificate": object{"pemFile": "stranger.pem"}, "at": "now", "expect": "chain_untrusted"},
			{"name": "nobody", "at": "now", "expect": "certificate_missing"},
			{"name": "the probe", "path": "/health", "at": "now", "expect": "excluded"},
		},
	}, "", "  ")
	if err != nil {
		tb.Fatalf("policy.json: %v", err)
	}
	return append(text, '\n')
}
