package certauthtest

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// FrontEnd is a front end whose requests this package can write. forged.json describes which
// headers it sets and in what form; tests compare this with captured requests where there are
// any.
type FrontEnd struct {
	// Name is one of [FrontEnds], such as "Nginx" or "ALB/passthrough": the name of the preset in
	// package forwarded, with a variant after a slash. Required.
	Name string
	// Headers renames headers whose name the operator chooses: it maps the preset's default, in
	// any case, to the name in this service. Nil renames none.
	Headers map[string]string
}

// FrontEnds returns the names of all front ends, sorted.
func FrontEnds() []string {
	var names []string
	for _, layout := range forged().FrontEnds {
		names = append(names, layout.Name)
	}
	slices.Sort(names)
	return names
}

// Forward turns r into the request that the front end sends to the service after the client has
// connected with this certificate, has sent the certificates of the CAs along, and the front end
// has verified it. A nil certificate gives the request of a client without one. Forward sets the
// headers that the front end sets, replacing headers of the same name in r, and removes those
// that it would not send. It leaves all other headers alone, including aliases of these names.
//
// Forward does not set the sender of the request: for a gate on the peer add [WithPeer], and for
// a gate on a secret its header. A name that is not one of [FrontEnds] ends the test.
func (f FrontEnd) Forward(tb TB, r *http.Request, client *Certificate, with ...*CA) {
	tb.Helper()
	layout, err := f.layout()
	if err != nil {
		tb.Fatalf("certauthtest: Forward: %v", err)
	}
	var certs []*x509.Certificate
	verdict := verdictNone
	if client != nil {
		verdict, certs = verdictSuccess, append(certs, client.Certificate)
		for _, ca := range with {
			certs = append(certs, ca.Certificate)
		}
	}
	lines, err := layout.lines(certs, verdict)
	if err != nil {
		tb.Fatalf("certauthtest: Forward: %v", err)
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for _, name := range layout.headers() {
		r.Header.Del(name)
	}
	for _, line := range lines {
		r.Header.Add(line[0], line[1])
	}
}

// layout describes a front end in forged.json.
type layout struct {
	Name        string             `json:"name"`
	Note        string             `json:"note"`
	Certificate certificateHeader  `json:"certificate"`
	Chain       *chainHeader       `json:"chain"`
	Flags       []flagHeader       `json:"flags"`
	Fingerprint *fingerprintHeader `json:"fingerprint"`
	Evidence    [][2]string        `json:"evidence"`
}

type certificateHeader struct {
	Header string  `json:"header"`
	Format string  `json:"format"`
	Prefix string  `json:"prefix"`
	Suffix string  `json:"suffix"`
	None   *string `json:"none"` // value without a certificate; nil: no header
}

type chainHeader struct {
	Header string  `json:"header"`
	Format string  `json:"format"`
	Count  int     `json:"count"` // the number of numbered headers that are always present
	Empty  *string `json:"empty"` // value with a certificate but no chain
	None   *string `json:"none"`  // value without a certificate and for unused numbers
}

type flagHeader struct {
	Header  string  `json:"header"`
	Success string  `json:"success"`
	Failure string  `json:"failure"`
	None    *string `json:"none"`
}

type fingerprintHeader struct {
	Header string  `json:"header"`
	Hash   string  `json:"hash"`
	None   *string `json:"none"`
}

// The front end's verdicts on the certificate.
const (
	verdictSuccess = "success"
	verdictFailure = "failure"
	verdictNone    = "none"
)

// layout returns the description of the front end with the operator's header names.
func (f FrontEnd) layout() (*layout, error) {
	at := slices.IndexFunc(forged().FrontEnds, func(l layout) bool { return l.Name == f.Name })
	if at < 0 {
		return nil, fmt.Errorf("front end %q is not one of %s", f.Name, strings.Join(FrontEnds(), ", "))
	}
	own := forged().FrontEnds[at]
	renamed := map[string]bool{}
	rename := func(name string) string {
		for from, to := range f.Headers {
			if strings.EqualFold(from, name) {
				renamed[from] = true
				return to
			}
		}
		return name
	}
	own.Certificate.Header = rename(own.Certificate.Header)
	if own.Chain != nil {
		chain := *own.Chain
		chain.Header = rename(chain.Header)
		own.Chain = &chain
	}
	if own.Fingerprint != nil {
		fingerprint := *own.Fingerprint
		fingerprint.Header = rename(fingerprint.Header)
		own.Fingerprint = &fingerprint
	}
	own.Flags = slices.Clone(own.Flags)
	for i := range own.Flags {
		own.Flags[i].Header = rename(own.Flags[i].Header)
	}
	for from := range f.Headers {
		if !renamed[from] {
			return nil, fmt.Errorf("front end %s sets no header %q", f.Name, from)
		}
	}
	return &own, nil
}

// headers returns the names of all headers that the front end may set.
func (l *layout) headers() []string {
	names := []string{l.Certificate.Header}
	if c := l.Chain; c != nil {
		names = append(names, c.Header)
		for i := range maxNumbered {
			names = append(names, c.numbered(i))
		}
	}
	for _, flag := range l.Flags {
		names = append(names, flag.Header)
	}
	if l.Fingerprint != nil {
		names = append(names, l.Fingerprint.Header)
	}
	for _, line := range l.Evidence {
		names = append(names, line[0])
	}
	return names
}

// maxNumbered bounds the numbered headers.
const maxNumbered = 10

func (c *chainHeader) numbered(i int) string {
	if c.Format == "spaced-pem-numbered" {
		return c.Header + strconv.Itoa(i)
	}
	return c.Header + "_" + strconv.Itoa(i)
}

// lines returns the header lines for the certificates, leaf first, in the order of the layout.
func (l *layout) lines(certs []*x509.Certificate, verdict string) ([][2]string, error) {
	var lines [][2]string
	put := func(name string, value *string) {
		if value != nil {
			lines = append(lines, [2]string{name, *value})
		}
	}
	if len(certs) == 0 {
		put(l.Certificate.Header, l.Certificate.None)
	} else {
		value, err := l.value(certs...)
		if err != nil {
			return nil, err
		}
		put(l.Certificate.Header, &value)
	}
	if l.Chain != nil {
		chain, err := l.Chain.lines(certs)
		if err != nil {
			return nil, err
		}
		lines = append(lines, chain...)
	}
	for _, flag := range l.Flags {
		put(flag.Header, flag.value(verdict))
	}
	if f := l.Fingerprint; f != nil && len(certs) == 0 {
		put(f.Header, f.None)
	} else if f != nil {
		value, err := encode(f.Hash, certs[0])
		if err != nil {
			return nil, err
		}
		put(f.Header, &value)
	}
	return append(lines, l.Evidence...), nil
}

// value returns the value of the certificate header. If that header holds only the leaf, the
// other certificates are not in it.
func (l *layout) value(certs ...*x509.Certificate) (string, error) {
	if !l.carriesChain() {
		certs = certs[:1]
	}
	text, err := encode(l.Certificate.Format, certs...)
	return l.Certificate.Prefix + text + l.Certificate.Suffix, err
}

func (l *layout) carriesChain() bool {
	return slices.Contains([]string{"base64-list", "url-pem-safe-chain", "xfcc", "xfcc-json"}, l.Certificate.Format)
}

func (f flagHeader) value(verdict string) *string {
	switch verdict {
	case verdictSuccess:
		return &f.Success
	case verdictFailure:
		return &f.Failure
	}
	return f.None
}

func (c *chainHeader) lines(certs []*x509.Certificate) ([][2]string, error) {
	if len(certs) == 0 {
		return c.fill(nil), nil
	}
	chain := certs[1:]
	var lines [][2]string
	switch format, numbered := strings.CutSuffix(c.Format, "-numbered"); {
	case numbered:
		for i, cert := range chain {
			value, err := encode(format, cert)
			if err != nil {
				return nil, err
			}
			lines = append(lines, [2]string{c.numbered(i), value})
		}
		return c.fill(lines), nil
	case len(chain) == 0:
		if c.Empty != nil {
			lines = append(lines, [2]string{c.Header, *c.Empty})
		}
		return lines, nil
	default:
		value, err := encode(format, chain...)
		return append(lines, [2]string{c.Header, value}), err
	}
}

// fill adds the unused numbered headers.
func (c *chainHeader) fill(lines [][2]string) [][2]string {
	for i := len(lines); i < c.Count && c.None != nil; i++ {
		lines = append(lines, [2]string{c.numbered(i), *c.None})
	}
	return lines
}
