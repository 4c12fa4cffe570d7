package main

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the thumbprint that Azure shows
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var inspectCommand = &command{
	name: "inspect", args: "CERTIFICATE", short: "what a certificate is, in every form",
	long: `
CERTIFICATE is the name of a file (PEM, DER, PFX, or a header's value), - for stdin, HOST:PORT of a TLS
server, or the text itself: a header's value of any front end, with or without "Name: " in front.

It prints pins, names as a rule wants them, dates, usage, and rules of a policy that would let it in.
-front-end NAME prints the headers that this front end would send with it; "all" those of all.
-renew 720h makes the exit status 1 when the certificate, or one that comes with it, ends sooner than that.

The certificate is described and not verified.

  certauth inspect client.pem
  certauth inspect 'X-ARR-ClientCert: MIIC...'
  certauth inspect -front-end Nginx client.pem

Exit status: 0 it was described; 1 it, or one that comes with it, ends within -renew; 2 it could not be read.`,
	run: runInspect,
}

// described is a certificate in every form.
type described struct {
	Form      string              `json:"form"`
	Subject   string              `json:"subject"`
	Issuer    string              `json:"issuer"`
	Serial    string              `json:"serial"`
	NotBefore time.Time           `json:"not_before"`
	NotAfter  time.Time           `json:"not_after"`
	Key       string              `json:"key"`
	Signature string              `json:"signature"`
	CA        bool                `json:"ca"`
	Usage     []string            `json:"extended_key_usage,omitempty"`
	Names     map[string][]string `json:"names,omitempty"`
	SHA256    string              `json:"sha256"`
	SHA1      string              `json:"sha1,omitempty"`
	SPKI      string              `json:"public_key_sha256"`
	OCSP      []string            `json:"ocsp,omitempty"`
	CRL       []string            `json:"crl,omitempty"`
	IssuedAt  []string            `json:"ca_issuers,omitempty"`
	PEM       string              `json:"pem"`
	Policies  []json.RawMessage   `json:"policies,omitempty"`
	Headers   map[string][]string `json:"headers,omitempty"`
	Others    []*described        `json:"others,omitempty"`
	Notes     []string            `json:"notes,omitempty"`
}

func runInspect(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	password := fs.String("password", "", "`PASSWORD` of a PFX")
	frontEnd := fs.String("front-end", "", "`NAME` of a front end, or all, whose headers to print")
	var renew *time.Duration
	fs.Func("renew", "exit with 1 if the certificate, or one that comes with it, ends within this `DURATION`; 0s: if it has ended", func(text string) error {
		within, err := time.ParseDuration(text)
		if err != nil || within < 0 {
			return errors.New("want a duration such as 720h")
		}
		renew = &within
		return nil
	})
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 1, 1)
	if err != nil {
		return 0, err
	}
	found, err := p.certificates(rest[0], *password)
	if err != nil {
		return 0, err
	}
	d := describe(found.certs[0])
	d.Form = found.form
	policies, failed := snippets(p, found.certs[0])
	d.Policies = policies
	for _, other := range found.certs[1:] {
		d.Others = append(d.Others, describe(other))
	}
	d.Notes = notes(found.certs[0], p.now())
	if refused, ok := errors.AsType[*certauth.Error](failed); ok {
		d.Notes = append(d.Notes, "no rule lets it in: "+detailOf(refused))
	}
	if *frontEnd != "" {
		if *frontEnd != "all" && !slices.Contains(certauthtest.FrontEnds(), *frontEnd) {
			return 0, usageError{fmt.Sprintf("-front-end: no front end %.40q; \"certauth front-end -names\" lists them", *frontEnd)}
		}
		if d.Headers, err = headersOf(*frontEnd, found.certs); err != nil {
			return 0, err
		}
	}
	if *asJSON {
		err = p.json(d)
	} else {
		p.printDescribed(d)
	}
	if renew != nil && slices.ContainsFunc(found.certs, func(cert *x509.Certificate) bool { return cert.NotAfter.Before(p.now().Add(*renew)) }) {
		return exitNo, err
	}
	return exitOK, err
}

// thumbprintSHA1 is empty under GODEBUG=fips140=only, where crypto/sha1 panics.
func thumbprintSHA1(cert *x509.Certificate) string {
	if fips140.Enforced() {
		return ""
	}
	sum := sha1.Sum(cert.Raw) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

func describe(cert *x509.Certificate) *described {
	sum256, spki := sha256.Sum256(cert.Raw), sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	d := &described{
		Subject: nameOf(cert.RawSubject), Issuer: nameOf(cert.RawIssuer), Serial: cmp.Or(hex.EncodeToString(cert.SerialNumber.Bytes()), "00"),
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), Key: keyOf(cert), Signature: cert.SignatureAlgorithm.String(),
		CA: cert.BasicConstraintsValid && cert.IsCA, SHA256: hex.EncodeToString(sum256[:]), SHA1: thumbprintSHA1(cert),
		SPKI: base64.StdEncoding.EncodeToString(spki[:]), OCSP: cert.OCSPServer, CRL: cert.CRLDistributionPoints, IssuedAt: cert.IssuingCertificateURL,
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})), Names: map[string][]string{},
	}
	add := func(kind string, names ...string) {
		if len(names) > 0 {
			d.Names[kind] = append(d.Names[kind], names...)
		}
	}
	add("dns", cert.DNSNames...)
	add("email", cert.EmailAddresses...)
	for _, ip := range cert.IPAddresses {
		add("ip", ip.String())
	}
	for _, uri := range cert.URIs {
		add("uri", uri.String())
	}
	for _, usage := range cert.ExtKeyUsage {
		d.Usage = append(d.Usage, usageName(usage))
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		d.Usage = append(d.Usage, oid.String())
	}
	return d
}

// nameOf formats a distinguished name as in RFC 4514 and in rules.
func nameOf(der []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "(cannot be read)"
	}
	return escaped(rdns.String(), escapeInName)
}

func keyOf(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return cert.PublicKeyAlgorithm.String()
}

func usageName(usage x509.ExtKeyUsage) string {
	switch usage {
	case x509.ExtKeyUsageAny:
		return "any"
	case x509.ExtKeyUsageClientAuth:
		return "clientAuth"
	case x509.ExtKeyUsageServerAuth:
		return "serverAuth"
	case x509.ExtKeyUsageCodeSigning:
		return "codeSigning"
	case x509.ExtKeyUsageEmailProtection:
		return "emailProtection"
	case x509.ExtKeyUsageTimeStamping:
		return "timeStamping"
	case x509.ExtKeyUsageOCSPSigning:
		return "OCSPSigning"
	}
	return fmt.Sprintf("usage %d", usage)
}

// notes returns the properties that an operator should know before trusting the certificate.
func notes(cert *x509.Certificate, now time.Time) []string {
	var list []string
	switch {
	case now.Before(cert.NotBefore):
		list = append(list, "it is not valid yet")
	case now.After(cert.NotAfter):
		list = append(list, "it has ended")
	case cert.NotAfter.Before(now.Add(30 * 24 * time.Hour)):
		list = append(list, fmt.Sprintf("it ends in %d days", int(cert.NotAfter.Sub(now).Hours()/24)))
	}
	if cert.BasicConstraintsValid && cert.IsCA {
		list = append(list, "it is a CA certificate: only a pin of the whole certificate lets it in as a client")
	}
	usages := len(cert.ExtKeyUsage) + len(cert.UnknownExtKeyUsage)
	if usages > 0 && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny) {
		list = append(list, "its extended key usage does not allow clientAuth: it is refused, unless it allows serverAuth and the policy has AcceptServerAuth")
	}
	if len(cert.OCSPServer)+len(cert.CRLDistributionPoints) == 0 {
		list = append(list, "it names nobody to ask about revocation")
	}
	return list
}

// snippets returns rules that accept this certificate. Each is tried before it is shown. It returns an error if not even
// a pin of the whole certificate accepts it: then no other rule is tried, of which there can be one for each name.
func snippets(p *program, cert *x509.Certificate) ([]json.RawMessage, error) {
	d := describe(cert)
	var list []json.RawMessage
	show := func(policy certauth.Policy) error {
		auth, err := certauth.New(certauth.Config{
			Source: forwarded.Header{
				From: forwarded.InsecureAnyPeer(), Name: judgeHeader, Format: forwarded.FormatBase64DER,
				Require: []forwarded.Flag{{Header: judgeFlag, Value: "1"}}, FrontEndVerifies: true,
			},
			Policy: policy, CacheSize: -1, Now: func() time.Time { return within(p.now(), []*x509.Certificate{cert}) },
		})
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(p.ctx, http.MethodGet, "/", http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set(judgeHeader, base64List([]*x509.Certificate{cert}))
		r.Header.Set(judgeFlag, "1")
		if _, err := auth.Check(r); err != nil {
			return err
		}
		written, err := policyfile.MarshalPolicy(policy, nil)
		var b bytes.Buffer
		if err == nil && json.Compact(&b, written) == nil {
			list = append(list, b.Bytes())
		}
		return err
	}
	if err := show(certauth.Thumbprints{d.SHA256}); err != nil {
		return nil, err
	}
	rules := []certauth.Policy{certauth.PublicKeys{d.SPKI}, certauth.Subject{d.Subject}}
	for _, name := range d.Names["dns"] {
		rules = append(rules, certauth.DNSNames{name})
	}
	for _, uri := range d.Names["uri"] {
		rules = append(rules, certauth.SPIFFEIDs{uri}, certauth.URIs{uri})
	}
	for _, email := range d.Names["email"] {
		rules = append(rules, certauth.Emails{email})
	}
	for _, ip := range d.Names["ip"] {
		rules = append(rules, certauth.IPs{ip})
	}
	for _, rule := range rules {
		_ = show(rule) // one that does not accept it is not shown
	}
	return list, nil
}

// headersOf returns the header lines that front ends send with the certificates.
func headersOf(name string, certs []*x509.Certificate) (map[string][]string, error) {
	names := []string{name}
	if name == "all" {
		names = certauthtest.FrontEnds()
	}
	headers := map[string][]string{}
	for _, name := range names {
		r := &http.Request{Header: http.Header{}}
		client := &certauthtest.Certificate{Certificate: certs[0]}
		var with []*certauthtest.CA
		for _, cert := range certs[1:] {
			with = append(with, &certauthtest.CA{Certificate: cert})
		}
		if err := safely(func(tb certauthtest.TB) { certauthtest.FrontEnd{Name: name}.Forward(tb, r, client, with...) }); err != nil {
			return nil, err
		}
		for _, header := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[header] {
				headers[name] = append(headers[name], header+": "+value)
			}
		}
	}
	return headers, nil
}

func (p *program) printDescribed(d *described) {
	row := func(name string, values ...string) {
		for _, value := range values {
			if value != "" {
				fmt.Fprintf(p.out, "%-11s %s\n", name, visible(value))
				name = ""
			}
		}
	}
	row("form", d.Form)
	row("subject", d.Subject)
	row("issuer", d.Issuer)
	row("serial", d.Serial)
	row("valid", d.NotBefore.Format(time.RFC3339)+" to "+d.NotAfter.Format(time.RFC3339))
	row("key", d.Key)
	row("signed by", d.Signature)
	row("usage", strings.Join(d.Usage, ", "))
	for _, kind := range slices.Sorted(maps.Keys(d.Names)) {
		row(kind, d.Names[kind]...)
	}
	row("sha256", d.SHA256)
	row("sha1", d.SHA1)
	row("key sha256", d.SPKI)
	row("ocsp", d.OCSP...)
	row("crl", d.CRL...)
	for _, other := range d.Others {
		row("with", other.Subject+", valid to "+other.NotAfter.Format(time.RFC3339)+", sha256 "+other.SHA256)
	}
	for _, note := range d.Notes {
		fmt.Fprintf(p.out, "%-11s %s\n", "note", p.paint(yellow, visible(note)))
	}
	var texts []string
	for _, policy := range d.Policies {
		texts = append(texts, string(policy))
	}
	row("rules", texts...)
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		fmt.Fprintf(p.out, "\n%s\n", name)
		for _, line := range d.Headers[name] {
			fmt.Fprintf(p.out, "  %s\n", visible(line))
		}
	}
}
