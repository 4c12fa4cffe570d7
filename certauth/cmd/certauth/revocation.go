package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

var revocationCommand = &command{
	name: "revocation", args: "CERTIFICATE", short: "whether a certificate is revoked, by OCSP and CRL, step by step",
	long: `
It verifies the chain to -roots, asks the responders and lists that the certificates name, by the
library's own rules, and prints each fetch with its time and size and what it said. With -policy and
-checker it goes by a revocation check of a document. The network is asked; private addresses only with
-allow-net.

  certauth revocation -roots root.pem -issuing issuing.pem client.pem

Exit status: 0 not revoked; 1 revoked, or nobody can say, even if the document's check accepts that; 2 the
question could not be asked, for example because the chain does not verify.`,
	run: runRevocation,
}

// step is one fetch of evidence.
type step struct {
	Kind   string        `json:"kind"`
	Method string        `json:"method"`
	URL    string        `json:"url"`
	Bytes  int           `json:"bytes"`
	Took   time.Duration `json:"took_ns"`
	Error  string        `json:"error,omitempty"`
}

// standing is the status of one certificate of the chain, with its evidence.
type standing struct {
	Subject    string `json:"subject"`
	Status     string `json:"status"`
	Source     string `json:"source,omitempty"`
	ThisUpdate string `json:"this_update,omitempty"`
	NextUpdate string `json:"next_update,omitempty"`
	Error      string `json:"error,omitempty"`
}

type revocationAnswer struct {
	Status       string     `json:"status"`
	Detail       string     `json:"detail,omitempty"`
	Next         string     `json:"next,omitempty"`
	Certificates []standing `json:"certificates,omitempty"`
	Steps        []step     `json:"steps"`
}

// watched is a fetcher that records its fetches.
type watched struct {
	revocation.Fetcher
	mutex sync.Mutex
	steps []step
	now   func() time.Time
}

func (w *watched) Fetch(ctx context.Context, r revocation.Request) (revocation.Response, error) {
	begin := w.now()
	response, err := w.Fetcher.Fetch(ctx, r)
	s := step{Kind: string(r.Kind), Method: r.Method, URL: r.URL, Bytes: len(response.Body), Took: w.now().Sub(begin)}
	if err != nil {
		s.Error = err.Error()
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.steps = append(w.steps, s)
	return response, err
}

// chainKeeper takes the place of a revocation check and records the verified chain.
type chainKeeper struct{ chain []*x509.Certificate }

func (k *chainKeeper) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	k.chain = slices.Clone(chain)
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

func runRevocation(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	roots := fs.String("roots", "", "`FILE` of the roots in PEM (required)")
	issuing := fs.String("issuing", "", "`FILE` of issuing CAs in PEM")
	policy := fs.String("policy", "", "`FILE` of a policy document, of which -checker is used")
	name := fs.String("checker", "", "`NAME` under \"revocation\" in the document of -policy")
	password := fs.String("password", "", "`PASSWORD` of a PFX")
	timeout := fs.Duration("timeout", 30*time.Second, "`DURATION` for the whole chain, instead of the maxWait of -checker")
	var nets list
	fs.Var(&nets, "allow-net", "`NETWORK` of private addresses that may be asked; may be given several times")
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 1, 1)
	if err != nil {
		return 0, err
	}
	if *roots == "" {
		return 0, usageError{"-roots is missing"}
	}
	if (*policy == "") != (*name == "") {
		return 0, usageError{"-policy and -checker go together"}
	}
	if *timeout <= 0 {
		return 0, usageError{"-timeout: want a positive duration"}
	}
	config := revocation.Config{MaxWait: *timeout}
	if *policy != "" {
		doc, err := policyfile.Load(*policy, certauth.Config{})
		if err != nil {
			return 0, err
		}
		defer func() { _ = doc.Close() }() // no longer used to judge
		own, ok := doc.Revocation[*name]
		if !ok {
			return 0, fmt.Errorf("%s has no revocation check %q; it has %q", *policy, *name, slices.Sorted(maps.Keys(doc.Revocation)))
		}
		config = own
		if given(fs, "timeout") {
			config.MaxWait = *timeout
		}
	}
	for _, text := range nets {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return 0, usageError{fmt.Sprintf("-allow-net: %q is no network", text)}
		}
		config.HTTP.AllowNets = append(config.HTTP.AllowNets, prefix)
		if prefix.IsSingleIP() { // a local test service
			config.HTTP.AllowPorts = append(config.HTTP.AllowPorts, allPorts(p, rest[0], *password)...)
		}
	}
	found, err := p.certificates(rest[0], *password)
	if err != nil {
		return 0, err
	}
	for flag, file := range map[string]string{"-roots": *roots, "-issuing": *issuing} {
		if file == "" {
			continue
		}
		content, err := p.read(file)
		if err == nil {
			_, err = decodeForm(content, "")
		}
		if err != nil {
			return 0, fmt.Errorf("%s %s: %w", flag, file, err)
		}
	}
	chain, err := verifiedChain(p, found.certs, *roots, *issuing)
	if err != nil {
		return 0, err
	}
	fetcher, err := fetch.NewHTTPFetcher(config.HTTP)
	if err != nil {
		return 0, err
	}
	watch := &watched{Fetcher: fetcher, now: p.now}
	config.HTTP, config.Fetcher, config.Now = revocation.HTTPOptions{}, watch, p.now
	checker, err := revocation.New(config)
	if err != nil {
		return 0, err
	}
	result, failed := checker.Check(p.ctx, chain) // within MaxWait
	if err := checker.Close(); err != nil {
		return 0, err
	}
	answer := &revocationAnswer{Status: result.Revocation.Status.String(), Steps: watch.steps}
	if refused, ok := errors.AsType[*certauth.Error](failed); ok {
		answer.Next = refused.Hint
		if *name == "" && strings.Contains(refused.Hint, "revocation.Config") {
			answer.Next += "; here, put them into a document, and name it with -policy and -checker"
		}
	}
	switch {
	case failed != nil:
		answer.Detail = failed.Error()
	case result.Revocation.Status == certauth.RevocationWaived:
		answer.Detail = "nobody says that it is not revoked; the document's check accepts it all the same"
	}
	for i, finding := range result.Certificates {
		s := standing{Subject: nameOf(chain[i].RawSubject), Status: finding.Result.Status.String()}
		if finding.Err != nil {
			s.Error = finding.Err.Error()
		} else {
			s.Source, s.ThisUpdate, s.NextUpdate = finding.Result.Source.String(), moment(finding.Result.ThisUpdate), moment(finding.Result.NextUpdate)
		}
		answer.Certificates = append(answer.Certificates, s)
	}
	if *asJSON {
		err = p.json(answer)
	} else {
		p.printRevocation(answer)
	}
	if result.Revocation.Status == certauth.RevocationGood {
		return exitOK, err
	}
	return exitNo, err
}

// allPorts returns the ports that the certificates name, to be permitted for single addresses.
func allPorts(p *program, what, password string) []int {
	found, err := p.certificates(what, password)
	if err != nil {
		return nil
	}
	var ports []int
	for _, cert := range found.certs {
		for _, url := range slices.Concat(cert.OCSPServer, cert.CRLDistributionPoints) {
			if address, err := netip.ParseAddrPort(strings.SplitN(strings.TrimPrefix(url, "http://"), "/", 2)[0]); err == nil && address.Port() != 80 {
				ports = append(ports, int(address.Port()))
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// byFlags names the flags instead of the fields of the Chain for which they stand.
var byFlags = strings.NewReplacer("Policy.All[0].Chain.Roots", "-roots", "Policy.All[0].Chain.Intermediates", "-issuing", "Chain.Roots", "-roots", "Chain.Intermediates", "-issuing")

// verifiedChain returns a chain that the library has verified.
func verifiedChain(p *program, certs []*x509.Certificate, roots, issuing string) ([]*x509.Certificate, error) {
	keeper := &chainKeeper{}
	chain := certauth.Chain{Roots: certauth.CertFile(roots)}
	if issuing != "" {
		chain.Intermediates = certauth.CertFile(issuing)
	}
	auth, err := certauth.New(certauth.Config{
		Source: certauth.SourceFunc{Name: "given certificate", Func: func(*http.Request) ([]*x509.Certificate, error) { return certs, nil }},
		Policy: certauth.All{chain, certauth.NotRevoked{Checker: keeper}}, CacheSize: -1, Now: p.now,
	})
	if err != nil {
		return nil, errors.New(byFlags.Replace(err.Error()))
	}
	r, err := http.NewRequestWithContext(p.ctx, http.MethodGet, "/", http.NoBody)
	if err != nil {
		return nil, err
	}
	if _, err := auth.Check(r); err != nil {
		if refused, ok := errors.AsType[*certauth.Error](err); ok {
			return nil, fmt.Errorf("the chain does not verify, so revocation is not checked: %w (%s)", refused, byFlags.Replace(refused.Hint))
		}
		return nil, err
	}
	return keeper.chain, nil
}

func (p *program) printRevocation(a *revocationAnswer) {
	colour := red
	if a.Status == certauth.RevocationGood.String() {
		colour = green
	}
	fmt.Fprintln(p.out, p.paint(colour, a.Status))
	if a.Detail != "" {
		fmt.Fprintf(p.out, "  found  %s\n", visible(a.Detail))
	}
	if a.Next != "" {
		fmt.Fprintf(p.out, "  next   %s\n", a.Next)
	}
	for _, s := range a.Certificates {
		fmt.Fprintf(p.out, "%-12s %s\n", s.Status, s.Subject)
		if s.Error != "" {
			fmt.Fprintf(p.out, "             %s\n", visible(s.Error))
		} else if s.ThisUpdate != "" {
			fmt.Fprintf(p.out, "             by %s of %s, good until %s\n", s.Source, s.ThisUpdate, s.NextUpdate)
		}
	}
	for _, s := range a.Steps {
		fmt.Fprintf(p.out, "%-4s %s %s  %d bytes in %s", s.Kind, s.Method, visible(s.URL), s.Bytes, s.Took.Round(time.Microsecond))
		if s.Error != "" {
			fmt.Fprintf(p.out, ": %s", visible(s.Error))
		}
		fmt.Fprintln(p.out)
	}
}
