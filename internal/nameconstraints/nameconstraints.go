// Package nameconstraints applies the name constraints of CA certificates to the certificates
// below them (RFC 5280, sections 4.2.1.10 and 6.1). crypto/x509 applies only those on DNS names,
// e-mail addresses, URIs and IP addresses, and does not apply constraints to subjects.
//
// Every name whose form a CA constrains is either compared or refused. If such a name meets a
// form without a rule for comparison, a subtree that does not conform to the RFC, or cannot be
// read itself, that is an error, whether or not the extension is critical. So are constraints that
// cannot be read, whatever the names. Names of forms that no CA constrains are ignored.
package nameconstraints

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	// maxSubtrees bounds the subtrees of one extension.
	maxSubtrees = 2000
	// maxComparisons bounds the comparisons of names with subtrees for all chains of one leaf.
	maxComparisons = 50_000
)

// ErrTooMany is the error of a chain that needs too many comparisons.
var ErrTooMany = errors.New("too many names and constraints")

// OID identifies the extension nameConstraints.
var OID = asn1.ObjectIdentifier{2, 5, 29, 30}

// Constraints are the name constraints of one CA. They are immutable and safe for concurrent use.
type Constraints struct {
	subtrees []subtree
}

// Check applies the constraints of every CA of a verified chain, including the root, to every
// certificate below it. The chain begins with the leaf. According to RFC 5280, section 6.1.3, a
// self-issued CA certificate, which a CA makes for a new key, is exempt from the constraints
// above it; a leaf is not. The error names the CA, the certificate and the name, with client text
// quoted and cut.
//
// made counts the comparisons. Chains of the same leaf share the count, because a CA can make many
// chains out of a few certificates. A chain that needs too many is refused.
func Check(chain []*x509.Certificate, made *int) error {
	if *made > maxComparisons {
		return ErrTooMany
	}
	known := make([]names, len(chain))
	for i := 1; i < len(chain); i++ {
		constraints, err := of(chain[i])
		if err != nil {
			return fmt.Errorf("name constraints of CA %s: %w", dn.Quote(chain[i].RawSubject), err)
		}
		if len(constraints.subtrees) == 0 {
			continue
		}
		for j, cert := range chain[:i] {
			if j > 0 && dn.Match(cert.RawSubject, cert.RawIssuer) {
				continue
			}
			if known[j] == nil {
				known[j], err = namesOf(cert)
			}
			if err == nil {
				err = constraints.check(known[j], made)
			}
			if err != nil {
				who := "the leaf"
				if j > 0 {
					who = "CA " + dn.Quote(cert.RawSubject)
				}
				return fmt.Errorf("name constraints of CA %s refuse %s: %w", dn.Quote(chain[i].RawSubject), who, err)
			}
		}
	}
	return nil
}

// of returns the constraints of a CA.
func of(cert *x509.Certificate) (*Constraints, error) {
	if e := certcheck.Extension(cert, OID); e != nil {
		return Parse(e.Value)
	}
	return &Constraints{}, nil
}

func (c *Constraints) check(names names, made *int) error {
	for i := range names {
		name := &names[i]
		constrained, inside := false, false
		for j := range c.subtrees {
			tree := &c.subtrees[j]
			if !tree.concerns(name) {
				continue
			}
			if err := meet(tree, name, made); err != nil {
				return err
			}
			if !tree.excluded {
				constrained, inside = true, inside || tree.holds(name)
			} else if tree.mayHold(name) {
				return fmt.Errorf("%s is excluded by %s", name, logtext.Quote(tree.text))
			}
		}
		if constrained && !inside {
			return fmt.Errorf("%s is outside the permitted subtrees: %s", name, c.permittedFor(name))
		}
	}
	return nil
}

// meet counts a comparison and returns an error if the two cannot be compared.
func meet(tree *subtree, name *name, made *int) error {
	*made++
	switch {
	case *made > maxComparisons:
		return ErrTooMany
	case tree.problem != "":
		return fmt.Errorf("%s is subject to the constraint %s, which %s", name, logtext.Quote(tree.text), tree.problem)
	case name.problem != "":
		return fmt.Errorf("%s is subject to a constraint and %s", name, name.problem)
	}
	return nil
}

// permittedFor formats the permitted subtrees that apply to the name.
func (c *Constraints) permittedFor(name *name) string {
	var texts []string
	for _, tree := range c.subtrees {
		if !tree.excluded && tree.concerns(name) {
			texts = append(texts, tree.text)
		}
	}
	return logtext.List(texts)
}

// Parse reads the value of a nameConstraints extension. An extension or a list without subtrees
// is an error, and so is a subtree with a minimum other than 0 or with a maximum, because RFC
// 5280 gives these no meaning.
func Parse(value []byte) (*Constraints, error) {
	outer, rest, ok := der.Read(value)
	if !ok || len(rest) > 0 || outer.Tag != der.Sequence {
		return nil, errors.New("not a sequence")
	}
	if len(outer.Content) == 0 {
		return nil, errors.New("neither permitted nor excluded subtrees")
	}
	c := &Constraints{}
	last := byte(0)
	for rest = outer.Content; len(rest) > 0; {
		var field der.Element
		if field, rest, ok = der.Read(rest); !ok || field.Tag <= last {
			return nil, errors.New("permitted and excluded subtrees are repeated or out of order")
		}
		last = field.Tag
		isExcluded := field.Tag == der.Context|der.Constructed|1
		if !isExcluded && field.Tag != der.Context|der.Constructed {
			return nil, errors.New("a field that is neither permitted nor excluded subtrees")
		}
		if err := c.add(field.Content, isExcluded); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Constraints) add(content []byte, areExcluded bool) error {
	if len(content) == 0 {
		return errors.New("a list without subtrees")
	}
	for rest := content; len(rest) > 0; {
		var element der.Element
		var ok bool
		if element, rest, ok = der.Read(rest); !ok || element.Tag != der.Sequence {
			return errors.New("not a subtree")
		}
		if len(c.subtrees) == maxSubtrees {
			return fmt.Errorf("more than %d subtrees", maxSubtrees)
		}
		tree, err := parseSubtree(element.Content)
		if err != nil {
			return err
		}
		tree.excluded = areExcluded
		c.subtrees = append(c.subtrees, tree)
	}
	return nil
}

func parseSubtree(content []byte) (subtree, error) {
	base, rest, ok := der.Read(content)
	if !ok {
		return subtree{}, errors.New("subtree without a base")
	}
	tree, err := newSubtree(base)
	if err != nil {
		return subtree{}, err
	}
	// An explicit minimum of 0, the default, is not DER but does no harm.
	if minimum := []byte{der.Context, 1, 0}; bytes.HasPrefix(rest, minimum) {
		rest = rest[len(minimum):]
	}
	if len(rest) > 0 {
		return subtree{}, fmt.Errorf("subtree %s has a minimum or a maximum, which is not supported", logtext.Quote(tree.text))
	}
	return tree, nil
}
