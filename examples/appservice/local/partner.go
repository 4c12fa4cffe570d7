package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const (
	rootsFile   = "partner-roots.pem"
	issuingFile = "partner-issuing.pem"
)

// partner is a partner with two CAs, its client, and a stranger that uses the client's name.
type partner struct {
	folder           string
	client, stranger *certauthtest.Certificate
}

func newPartner(tb certauthtest.TB, folder string) *partner {
	tb.Helper()
	root := certauthtest.NewCA(tb, "Partner Root")
	issuing := root.NewIntermediate(tb, "Partner Issuing")
	name := certauthtest.DNS("orders.partner.example")
	p := &partner{folder, issuing.Issue(tb, "orders", name), certauthtest.SelfSigned(tb, "orders", name)}
	p.write(tb, rootsFile, root.PEM())
	p.write(tb, issuingFile, issuing.PEM())
	return p
}

func (p *partner) write(tb certauthtest.TB, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(p.folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("%v", err)
	}
	return path
}

// command is a line to paste into a shell, with the expected status.
type command struct {
	what   string
	status int
	line   string
}

// commands writes the files that the commands need, including keys.
func (p *partner) commands(tb certauthtest.TB, front *certauthtest.AppService, address string) []command {
	tb.Helper()
	curl := "curl -sSi --cacert " + quoted(p.write(tb, "front-end-ca.pem", front.ServerCA.PEM()))
	with := func(name string, c *certauthtest.Certificate) string {
		return " --cert " + quoted(p.write(tb, name+".pem", slices.Concat(c.PEM(), c.KeyPEM(tb))))
	}
	header := " -H " + quoted("@"+p.write(tb, "forged-header.txt", []byte("X-ARR-ClientCert: "+p.client.Base64()+"\n")))
	return []command{
		{"the partner", http.StatusOK, curl + with("orders", p.client) + " " + front.URL + "/orders"},
		{"a stranger under the partner's name", http.StatusUnauthorized, curl + with("stranger", p.stranger) + " " + front.URL + "/orders"},
		{"no certificate", http.StatusUnauthorized, curl + " " + front.URL + "/orders"},
		{"a forged header, through the front end", http.StatusUnauthorized, curl + header + " " + front.URL + "/orders"},
		{"a forged header, straight to the service", http.StatusUnauthorized, "curl -sSi" + header + " http://" + address + "/orders"},
		{"the platform's health check", http.StatusOK, "curl -sSi http://" + address + "/health"},
		{"the platform's warm-up", http.StatusUnauthorized, "curl -sSi http://" + address + "/robots933456.txt"},
	}
}
