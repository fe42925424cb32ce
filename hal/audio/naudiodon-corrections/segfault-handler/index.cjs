/** naudiodon calls this when it is loaded; the package it means would write crash.log into the working directory and needs a compiler. */
exports.registerHandler = () => undefined;
