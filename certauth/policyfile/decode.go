package policyfile

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// decoder turns nodes into Go values and collects the mistakes.
type decoder struct {
	text     []byte
	dir      string // directory for relative names of files
	checkers map[string]certauth.RevocationChecker
	material *material
	mistakes Mistakes // the first maxMistakes
	found    int      // all of them

	// open makes every gate accept every sender and assumes that this machine is App Service: for
	// cases, which have no socket and no platform.
	open bool
}

// maxMistakes bounds the number of reported mistakes, because finding the line of each takes time.
const maxMistakes = 100

// mistake reports a mistake in the form of the document, which the schema describes as well.
func (d *decoder) mistake(n *node, format string, args ...any) { d.add(n.at, n, false, format, args) }

// wrong reports a mistake in the meaning of a value.
func (d *decoder) wrong(n *node, format string, args ...any) { d.add(n.at, n, true, format, args) }

func (d *decoder) add(at int, n *node, value bool, format string, args []any) {
	if d.found++; d.found > maxMistakes {
		return
	}
	m := mistakeAt(d.text, at, n.path(), fmt.Sprintf(format, args...))
	m.value = value
	d.mistakes = append(d.mistakes, m)
}

func (d *decoder) unknown(m member, known []string) {
	if d.found >= maxMistakes {
		d.found++
		return
	}
	hint := didYouMean(m.name, known)
	if hint == "" {
		sorted := append([]string(nil), known...)
		sort.Strings(sorted)
		hint = ", want one of: " + strings.Join(sorted, ", ")
	}
	d.add(m.at, m.value, false, "unknown member%s", []any{hint})
}

// resolve makes the name of a file relative to the document's folder.
func (d *decoder) resolve(name string) string {
	if d.dir == "" || name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.dir, name)
}

// adjust changes the settings that a case cannot use.
func (d *decoder) adjust(t reflect.Type, value any) any {
	if !d.open {
		return value
	}
	if t == reflect.TypeFor[forwarded.Gate]() {
		return forwarded.InsecureAnyPeer()
	}
	if source, ok := value.(forwarded.AppService); ok {
		source.InsecureOutsideAppService = true
		return source
	}
	return value
}

func (d *decoder) notRevoked(n *node, body notRevoked) any {
	checker, ok := d.checkers[body.Checker]
	if !ok {
		var known []string
		for name := range d.checkers {
			known = append(known, name)
		}
		sort.Strings(known)
		d.wrong(n, `no revocation check is called %s%s`, quoted(body.Checker), wantOneOf(known))
		return nil
	}
	return certauth.NotRevoked{Checker: checker}
}

func wantOneOf(known []string) string {
	if len(known) == 0 {
		return `; the document has no "revocation"`
	}
	return ", want one of: " + strings.Join(known, ", ")
}

// certificates reads a source of certificates while the document is read.
func (d *decoder) certificates(n *node, from certauth.CertSource) []*x509.Certificate {
	list, err := d.material.certificates(from)
	if err != nil {
		d.wrong(n, "%v", err)
	}
	return list
}

// secrets reads the values of a sharedSecret.
func (d *decoder) secrets(n *node, from []secret) []string {
	var values []string
	for i, s := range from {
		value, err := d.material.secret(s)
		if err != nil {
			d.wrong(n.member("values").items[i], "%v", err)
		}
		values = append(values, value)
	}
	return values
}
