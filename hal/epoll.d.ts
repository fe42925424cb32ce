/** The add-on that onoff installs comes without types; what is used of it is described in device-calls.ts. */
declare module 'epoll';
