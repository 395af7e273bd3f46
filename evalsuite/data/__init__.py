"""From official files and hub data sets to rows; images stay encoded until `images.decode`."""
