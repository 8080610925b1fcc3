import './app.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { startPrefs } from './state/prefs.svelte';

startPrefs();
const target = document.getElementById('app');
if (target) mount(App, { target });
