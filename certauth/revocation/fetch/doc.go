// Package fetch downloads OCSP responses and CRLs over HTTP from the URLs in certificates.
//
// A CA may be asked to write any URL into a certificate. Therefore [HTTPFetcher] connects only to
// public addresses on ports 80 and 443 unless [HTTPOptions] permit others, bounds time and size,
// and checks every redirect like the URL itself.
//
// This package does not verify the bytes it downloads; package evidence does.
package fetch
